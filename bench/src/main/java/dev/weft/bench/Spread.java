package dev.weft.bench;

import java.util.Arrays;
import java.util.Collection;

/// What several measurements of one thing gave.
public record Spread(double median, double smallest, double largest, int count) {
  public static Spread of(Collection<Double> values) {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("no measurement");
    }
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    return new Spread(percentile(sorted, 0.5), sorted[0], sorted[sorted.length - 1], sorted.length);
  }

  /// The value at `fraction` of sorted values, between two where it falls between them.
  public static double percentile(double[] sorted, double fraction) {
    if (sorted.length == 0) {
      throw new IllegalArgumentException("no values");
    }
    double place = fraction * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(sorted.length - 1, below + 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  }

  public static double percentileOf(Collection<Double> values, double fraction) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
    Arrays.sort(sorted);
    return percentile(sorted, fraction);
  }
}
