package dev.weft.runtime.cpu;

import java.util.Arrays;

/// LiquidQuant as its paper has it (arXiv 2509.01229), in plain Java: what `w4a8` makes of weights.
///
/// Level 1, per output: int8 in [-119, 119]. Level 2, per group of 64 inputs: 4 bits `q`, with a
/// byte `s` in [1, 16] and a byte `a = 128 + lowest`. The protective range leaves room for the
/// error of level 2, so that `q * s + a` always is an unsigned byte and four of them multiply and
/// add as one 32-bit word.
final class LiquidQuant {
  static final int GROUP = 64;
  static final int PROTECTED = 119;
  private static final float SMALLEST = 1e-30f;

  private LiquidQuant() {}

  /// Level 2 of one group.
  ///
  /// @param q 0 to 15
  record Group(int[] q, int s, int a) {
    /// `q * s + a`, 0 to 255: the int8 value plus 128.
    int unsigned(int index) {
      return q[index] * s + a;
    }
  }

  /// Level 1's scale of an output; 0 of zeros.
  static float scale(float[] weights, int from, int to) {
    float highest = 0;
    for (int i = from; i < to; i++) {
      highest = Math.max(highest, Math.abs(weights[i]));
    }
    return highest > SMALLEST ? highest / PROTECTED : 0;
  }

  /// Level 1.
  static int toInt8(float weight, float scale) {
    return Math.clamp((long) Math.rint(weight / scale), -PROTECTED, PROTECTED);
  }

  /// Level 2 of a group's int8 values.
  static Group quantize(int[] values) {
    int lowest = PROTECTED;
    int highest = -PROTECTED;
    for (int value : values) {
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
    int s = Math.clamp((long) Math.rint((highest - lowest) / 15f), 1, 16);
    int[] q = new int[values.length];
    for (int i = 0; i < q.length; i++) {
      q[i] = Math.min(15, (int) Math.rint((values[i] - lowest) / (float) s));
    }
    return new Group(q, s, 128 + lowest);
  }

  /// Puts in each weight's place what it becomes.
  static void round(float[] weights, int inputs) {
    for (int row = 0; row < weights.length; row += inputs) {
      float scale = scale(weights, row, row + inputs);
      for (int from = row; from < row + inputs; from += GROUP) {
        roundGroup(weights, from, Math.min(from + GROUP, row + inputs), scale);
      }
    }
  }

  private static void roundGroup(float[] weights, int from, int to, float scale) {
    if (scale == 0) {
      Arrays.fill(weights, from, to, 0);
      return;
    }
    int[] values = new int[to - from];
    for (int i = 0; i < values.length; i++) {
      values[i] = toInt8(weights[from + i], scale);
    }
    Group group = quantize(values);
    for (int i = 0; i < values.length; i++) {
      weights[from + i] = (group.unsigned(i) - 128) * scale;
    }
  }
}
