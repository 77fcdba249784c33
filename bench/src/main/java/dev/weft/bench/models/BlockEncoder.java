package dev.weft.bench.models;

import dev.weft.runtime.tensor.DType;
import java.nio.ByteBuffer;

/// Writes float32 values as a file's element type, rounding as ggml's reference quantisers do.
final class BlockEncoder {
  private BlockEncoder() {}

  /// Appends the first `count` values (whole blocks).
  static void encode(DType type, float[] values, int count, ByteBuffer out) {
    for (int from = 0; from < count; from += type.blockElements()) {
      switch (type) {
        case F32 -> out.putFloat(values[from]);
        case F16 -> out.putShort(Float.floatToFloat16(values[from]));
        case BF16 -> out.putShort(bfloat16(values[from]));
        case Q8_0 -> q8(values, from, out);
        case Q4_0 -> q4(values, from, out);
        case Q5_0 -> q5(values, from, out);
        case Q4_K -> KBlockEncoder.q4(values, from, out);
        case Q6_K -> KBlockEncoder.q6(values, from, out);
        default -> throw new IllegalArgumentException("not written here: " + type);
      }
    }
  }

  /// Round to nearest, ties to even.
  private static short bfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
  }

  private static void q8(float[] values, int from, ByteBuffer out) {
    float most = Math.abs(extreme(values, from, 32));
    float scale = most / 127;
    float inverse = scale == 0 ? 0 : 1 / scale;
    out.putShort(Float.floatToFloat16(scale));
    for (int i = 0; i < 32; i++) {
      out.put((byte) Math.round(values[from + i] * inverse));
    }
  }

  private static void q4(float[] values, int from, ByteBuffer out) {
    float scale = extreme(values, from, 32) / -8;
    float inverse = scale == 0 ? 0 : 1 / scale;
    out.putShort(Float.floatToFloat16(scale));
    for (int i = 0; i < 16; i++) {
      int low = Math.min(15, (int) (values[from + i] * inverse + 8.5f));
      int high = Math.min(15, (int) (values[from + 16 + i] * inverse + 8.5f));
      out.put((byte) (low | (high << 4)));
    }
  }

  private static void q5(float[] values, int from, ByteBuffer out) {
    float scale = extreme(values, from, 32) / -16;
    float inverse = scale == 0 ? 0 : 1 / scale;
    byte[] low = new byte[16];
    int high = 0;
    for (int i = 0; i < 32; i++) {
      int level = Math.min(31, (int) (values[from + i] * inverse + 16.5f));
      low[i % 16] |= (byte) ((level & 15) << (i < 16 ? 0 : 4));
      high |= (level >> 4) << i;
    }
    out.putShort(Float.floatToFloat16(scale)).putInt(high).put(low);
  }

  /// The value of the largest magnitude, with its sign.
  static float extreme(float[] values, int from, int count) {
    float extreme = 0;
    for (int i = from; i < from + count; i++) {
      extreme = Math.abs(values[i]) > Math.abs(extreme) ? values[i] : extreme;
    }
    return extreme;
  }
}
