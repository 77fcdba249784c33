package dev.weft.runtime.scheduling;

/// What one step may cost, and what rows cost: `rowNanos` each and `contextNanos` for every token
/// before it that a row attends to.
///
/// @param rows the most rows
/// @param nanos the time that the rows of prompts should take
/// @param mostNanos the time that the oldest prompt's least rows may take, where `nanos` is not
///   enough for them
public record StepBudget(
    int rows, double nanos, double mostNanos, double rowNanos, double contextNanos) {
  public StepBudget {
    if (rows < 0
        || !(nanos >= 0)
        || !(mostNanos >= nanos)
        || !(rowNanos >= 0)
        || !(contextNanos >= 0)) {
      throw new IllegalArgumentException(
          "%d rows in %s to %s ns at %s and %s"
              .formatted(rows, nanos, mostNanos, rowNanos, contextNanos));
    }
  }

  /// A budget of rows alone.
  public static StepBudget ofRows(int rows) {
    return new StepBudget(rows, 0, Double.POSITIVE_INFINITY, 0, 0);
  }

  /// What `count` rows cost, the first of which is at `position`.
  public double cost(int position, int count) {
    double context = (double) count * position + count * (count - 1.0) / 2;
    return count * rowNanos + context * contextNanos;
  }

  /// The most rows from `position` on that cost no more than `left`, up to `wanted`.
  public int rowsWithin(double left, int position, int wanted) {
    int low = 0;
    int high = wanted;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (cost(position, middle) <= left) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
}
