package dev.weft.runtime.tensor;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.random.RandomGenerator;

/// Random tensor data of every [DType], for tests: normally distributed for the float types; for
/// the quantised ones, random bytes with scales chosen so that values have about the wanted spread
/// around zero.
public final class RandomBlocks {
  private RandomBlocks() {}

  /// Bytes of `elements` elements of about the given standard deviation.
  public static byte[] bytes(DType type, int elements, double deviation, RandomGenerator random) {
    ByteBuffer out =
        ByteBuffer.allocate(Math.toIntExact(type.byteSize(elements)))
            .order(ByteOrder.LITTLE_ENDIAN);
    switch (type) {
      case F32 -> {
        for (int i = 0; i < elements; i++) {
          out.putFloat((float) (random.nextGaussian() * deviation));
        }
      }
      case F16 -> {
        for (int i = 0; i < elements; i++) {
          out.putShort(Float.floatToFloat16((float) (random.nextGaussian() * deviation)));
        }
      }
      case BF16 -> {
        for (int i = 0; i < elements; i++) {
          float value = (float) (random.nextGaussian() * deviation);
          out.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
        }
      }
      case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K -> {
        random.nextBytes(out.array());
        for (int block = 0; block < out.capacity(); block += type.blockBytes()) {
          // The scale varies by block, so that mixing blocks up does not go unseen.
          setScales(out, block, type, deviation * random.nextDouble(0.5, 1.5));
        }
      }
    }
    return out.array();
  }

  private static void setScales(ByteBuffer out, int block, DType type, double deviation) {
    switch (type) {
      case Q8_0 -> putHalf(out, block, deviation / 74);
      case Q4_0 -> putHalf(out, block, deviation / 4.6);
      case Q4_1 -> {
        putHalf(out, block, deviation / 4.6);
        putHalf(out, block + 2, -7.5 * deviation / 4.6);
      }
      case Q5_0 -> putHalf(out, block, deviation / 9.2);
      case Q5_1 -> {
        putHalf(out, block, deviation / 9.2);
        putHalf(out, block + 2, -15.5 * deviation / 9.2);
      }
      case Q4_K -> {
        putHalf(out, block, deviation / 260);
        putHalf(out, block + 2, 7.5 * deviation / 260);
      }
      case Q5_K -> {
        putHalf(out, block, deviation / 520);
        putHalf(out, block + 2, 15.5 * deviation / 520);
      }
      case Q6_K -> putHalf(out, block + 208, deviation / 1370);
      case F32, F16, BF16 -> throw new IllegalArgumentException(type + " has no scales");
    }
  }

  private static void putHalf(ByteBuffer out, int offset, double value) {
    out.putShort(offset, Float.floatToFloat16((float) value));
  }
}
