package dev.weft.autoscaler.scaling;

/// When a function is called next, by the times between its calls so far.
///
/// Gaps are counted in classes that are each twice as long as the one before, from a tenth of a
/// second on, older ones for less, so that a function whose callers change is followed. For one
/// thread.
public final class ArrivalHistory {
  private static final long FIRST_NANOS = 100_000_000L;
  private static final int CLASSES = 20;
  private static final double MEMORY = 0.98;
  private static final double LEAST_GAPS = 3;

  private final double[] gaps = new double[CLASSES];
  private double total;
  private long lastAt = -1;

  /// The function is called.
  public void arrived(long now) {
    if (lastAt >= 0) {
      for (int i = 0; i < CLASSES; i++) {
        gaps[i] *= MEMORY;
      }
      gaps[classOf(now - lastAt)]++;
      total = total * MEMORY + 1;
    }
    lastAt = now;
  }

  /// Whether enough is known of it to say anything.
  public boolean known() {
    return total >= LEAST_GAPS;
  }

  /// The probability that it is called within `aheadNanos`, given that it was not called since it
  /// last was; 0 where too little is known.
  public double within(long aheadNanos, long now) {
    if (!known()) {
      return 0;
    }
    double beyondNow = beyond(now - lastAt);
    return beyondNow <= 0 ? 0 : 1 - beyond(now - lastAt + aheadNanos) / beyondNow;
  }

  /// The share of gaps that are longer, each class in proportion.
  private double beyond(long gap) {
    int at = classOf(gap);
    double sum = 0;
    for (int i = at + 1; i < CLASSES; i++) {
      sum += gaps[i];
    }
    double begin = at == 0 ? 0 : Math.scalb((double) FIRST_NANOS, at - 1);
    double end = Math.scalb((double) FIRST_NANOS, at);
    double left = Math.clamp((end - gap) / (end - begin), 0, 1);
    return (sum + gaps[at] * left) / total;
  }

  /// The class of gaps that are at most `FIRST_NANOS` times two to its power.
  private static int classOf(long gap) {
    int at = 0;
    while (at < CLASSES - 1 && gap > FIRST_NANOS << at) {
      at++;
    }
    return at;
  }
}
