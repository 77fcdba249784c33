package dev.weft.bench.models;

import java.nio.ByteBuffer;

/// Writes float32 values as blocks of 256 whose groups have scales of their own.
final class KBlockEncoder {
  private static final int GROUPS = 8;
  private static final int GROUP = 32;

  /// The largest scale or minimum of a group, of six bits.
  private static final int MOST = 63;

  private KBlockEncoder() {}

  /// A scale and a minimum of the groups' scales and minimums, these, and four bits a value: the
  /// nearest of 16 levels between a group's smallest (at most zero) and largest.
  static void q4(float[] values, int from, ByteBuffer out) {
    float[] scales = new float[GROUPS];
    float[] minimums = new float[GROUPS];
    for (int group = 0; group < GROUPS; group++) {
      float least = 0;
      float most = Float.NEGATIVE_INFINITY;
      for (int i = from + group * GROUP; i < from + (group + 1) * GROUP; i++) {
        least = Math.min(least, values[i]);
        most = Math.max(most, values[i]);
      }
      scales[group] = Math.max(0, most - least) / 15;
      minimums[group] = -least;
    }
    short scaleUnit = unit(scales);
    short minimumUnit = unit(minimums);
    int[] scaleSteps = steps(scales, Float.float16ToFloat(scaleUnit));
    int[] minimumSteps = steps(minimums, Float.float16ToFloat(minimumUnit));
    out.putShort(scaleUnit).putShort(minimumUnit).put(packed(scaleSteps, minimumSteps));
    int[] levels = new int[GROUPS * GROUP];
    for (int i = 0; i < levels.length; i++) {
      float step = Float.float16ToFloat(scaleUnit) * scaleSteps[i / GROUP];
      float minimum = Float.float16ToFloat(minimumUnit) * minimumSteps[i / GROUP];
      levels[i] =
          step == 0 ? 0 : Math.clamp(Math.round((values[from + i] + minimum) / step), 0, 15);
    }
    for (int pair = 0; pair < levels.length; pair += 2 * GROUP) {
      for (int i = pair; i < pair + GROUP; i++) {
        out.put((byte) (levels[i] | (levels[i + GROUP] << 4)));
      }
    }
  }

  /// What one step of six bits stands for, as float16.
  private static short unit(float[] values) {
    float most = 0;
    for (float value : values) {
      most = Math.max(most, value);
    }
    return Float.floatToFloat16(most / MOST);
  }

  private static int[] steps(float[] values, float unit) {
    int[] steps = new int[GROUPS];
    for (int group = 0; group < GROUPS; group++) {
      steps[group] = unit == 0 ? 0 : Math.min(MOST, Math.round(values[group] / unit));
    }
    return steps;
  }

  /// Eight scales and minimums of six bits: those of the first four groups in bytes 0 to 7, with
  /// the others' two high bits above them, and the others' low bits in bytes 8 to 11.
  private static byte[] packed(int[] scales, int[] minimums) {
    byte[] packed = new byte[12];
    for (int i = 0; i < 4; i++) {
      packed[i] = (byte) (scales[i] | (scales[i + 4] >> 4 << 6));
      packed[4 + i] = (byte) (minimums[i] | (minimums[i + 4] >> 4 << 6));
      packed[8 + i] = (byte) ((scales[i + 4] & 15) | ((minimums[i + 4] & 15) << 4));
    }
    return packed;
  }

  /// 256 values: low four bits of all, high two bits of all, 16 scales, and a scale of the scales.
  static void q6(float[] values, int from, ByteBuffer out) {
    float[] scales = new float[16];
    float largest = 0;
    for (int group = 0; group < 16; group++) {
      scales[group] = BlockEncoder.extreme(values, from + 16 * group, 16) / -32;
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
}
