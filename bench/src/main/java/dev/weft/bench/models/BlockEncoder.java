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
        case Q6_K -> q6(values, from, out);
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

  /// 256 values: low four bits of all, high two bits of all, 16 scales, and a scale of the scales.
  private static void q6(float[] values, int from, ByteBuffer out) {
    float[] scales = new float[16];
    float largest = 0;
    for (int group = 0; group < 16; group++) {
      scales[group] = extreme(values, from + 16 * group, 16) / -32;
      largest = Math.abs(scales[group]) > Math.abs(largest) ? scales[group] : largest;
    }
    float unit = largest / -128;
    byte[] groupScales = new byte[16];
    int[] levels = new int[256];
    for (int group = 0; group < 16; group++) {
      int scale = unit == 0 ? 0 : Math.min(127, Math.round(scales[group] / unit));
      groupScales[group] = (byte) scale;
      float step = Float.float16ToFloat(Float.floatToFloat16(unit)) * scale;
      for (int i = 16 * group; i < 16 * group + 16; i++) {
        int level = step == 0 ? 0 : Math.round(values[from + i] / step);
        levels[i] = Math.clamp(level, -32, 31) + 32;
      }
    }
    for (int half = 0; half < 256; half += 128) {
      for (int i = 0; i < 64; i++) {
        out.put((byte) ((levels[half + i] & 15) | ((levels[half + 64 + i] & 15) << 4)));
      }
    }
    for (int half = 0; half < 256; half += 128) {
      for (int i = 0; i < 32; i++) {
        int high = 0;
        for (int part = 0; part < 4; part++) {
          high |= (levels[half + 32 * part + i] >> 4) << (2 * part);
        }
        out.put((byte) high);
      }
    }
    out.put(groupScales).putShort(Float.floatToFloat16(unit));
  }

  /// The value of the largest magnitude, with its sign.
  private static float extreme(float[] values, int from, int count) {
    float extreme = 0;
    for (int i = from; i < from + count; i++) {
      extreme = Math.abs(values[i]) > Math.abs(extreme) ? values[i] : extreme;
    }
    return extreme;
  }
}
