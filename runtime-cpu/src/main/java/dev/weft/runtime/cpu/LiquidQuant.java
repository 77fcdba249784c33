package dev.weft.runtime.cpu;

import java.util.Arrays;

/// LiquidQuant (arXiv 2509.01229) in plain Java: what `w4a8` makes of weights.
///
/// Level 1, per output: int8 in [-119, 119]. Level 2, per group of 64 inputs: 4 bits `q`, a byte
/// `s` in [1, 16] and a byte `a = 128 + m`. The protective range leaves room for the error of level
/// 2, so that `q * s + a` always is an unsigned byte and four of them multiply and add as one word.
///
/// The paper takes the group's lowest for `m` and `round((highest - lowest) / 15)` for `s`. So does
/// this, unless others near by leave a smaller squared error.
final class LiquidQuant {
  static final int GROUP = 64;
  static final int PROTECTED = 119;

  /// How far from the paper's parameters to look: `s` smaller, `m` higher by halves of `s`.
  private static final int NARROWER = 4;

  private static final int SHIFTS = 4;
  private static final float SMALLEST = 1e-30f;

  private LiquidQuant() {}

  /// Level 2 of one group.
  ///
  /// @param q 0 to 15
  @SuppressWarnings("ArrayRecordComponent")
  record Group(int[] q, int s, int a) {
    /// `q * s + a`, 0 to 255: the int8 value plus 128.
    int unsigned(int index) {
      return q[index] * s + a;
    }

    /// Of what becomes of the values.
    int squaredError(int[] values) {
      int sum = 0;
      for (int i = 0; i < q.length; i++) {
        int error = unsigned(i) - 128 - values[i];
        sum += error * error;
      }
      return sum;
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
    int lowest = Arrays.stream(values).min().orElseThrow();
    int range = Arrays.stream(values).max().orElseThrow() - lowest;
    Group best = papers(values);
    int leastError = best.squaredError(values);
    int widest = Math.ceilDiv(range, 15);
    for (int s = widest; s >= Math.max(1, widest - NARROWER); s--) {
      for (int shift = 0; shift <= SHIFTS; shift++) {
        int m = lowest + s * shift / 2;
        Group group = group(values, s, m);
        int error = group.squaredError(values);
        if (m + 15 * s <= 127 && error < leastError) {
          best = group;
          leastError = error;
        }
      }
    }
    return best;
  }

  /// Level 2 by the paper's formula.
  static Group papers(int[] values) {
    int lowest = Arrays.stream(values).min().orElseThrow();
    int highest = Arrays.stream(values).max().orElseThrow();
    return group(values, Math.clamp((long) Math.rint((highest - lowest) / 15f), 1, 16), lowest);
  }

  private static Group group(int[] values, int s, int m) {
    int[] q = new int[values.length];
    for (int i = 0; i < q.length; i++) {
      q[i] = Math.clamp((long) Math.rint((values[i] - m) * (1 / (float) s)), 0, 15);
    }
    return new Group(q, s, 128 + m);
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
