package dev.weft.runtime.cpu;

/// How many workers take a decoder's small steps: decided by what steps took. A barrier costs more
/// than half of a tiny layer, and a worker that waits for a processor which something else uses
/// holds up all others; fewer workers are faster then.
///
/// The present size is compared with half or twice of it, in turn, a step each. A comparison comes
/// early, again after steps that took longer than usual, and else more and more seldom. Results do
/// not depend on the size.
final class TeamSize {
  /// Steps of more rows have work enough for all.
  static final int MAX_ROWS = 16;

  /// Steps of each size in a comparison.
  static final int TRIALS = 6;

  private static final int FIRST_INTERVAL = 8;
  private static final int LONGEST_INTERVAL = 2048;

  /// Steps that are this much slower than usual are worth a comparison, but not at once again.
  private static final double SLOWER = 1.3;

  private static final int PAUSE = 24;

  /// The other size must be this much faster: a step or two may have been lucky.
  private static final double FASTER = 0.95;

  private static final double RECENT_WEIGHT = 0.2;

  private final int largest;
  private int size;
  private boolean comparing;
  private int other;
  private boolean grow;
  private int rows;
  private int stepsSince;
  private int interval = FIRST_INTERVAL;
  private int trials;
  private long ownNanos;
  private long otherNanos;
  private double usualNanos;
  private double recentNanos;

  /// @param largest the device's workers
  TeamSize(int largest) {
    this.largest = largest;
    size = largest;
  }

  /// What small steps take when they are not compared.
  int size() {
    return size;
  }

  /// Workers for a step of so many rows.
  int choose(int stepRows) {
    if (largest == 1 || stepRows > MAX_ROWS) {
      return largest;
    }
    if (stepRows != rows) {
      // What was measured says nothing about steps of other lengths.
      rows = stepRows;
      comparing = false;
      usualNanos = 0;
      recentNanos = 0;
    }
    if (!comparing && isDue()) {
      comparing = true;
      other = nextOther();
      trials = 0;
      ownNanos = 0;
      otherNanos = 0;
    }
    return comparing && trials % 2 == 1 ? other : size;
  }

  private boolean isDue() {
    return stepsSince >= interval
        || (stepsSince >= PAUSE && recentNanos > SLOWER * usualNanos && usualNanos > 0);
  }

  private int nextOther() {
    grow = !grow;
    boolean larger = size == 1 || (grow && size < largest);
    return larger ? Math.min(2 * size, largest) : size / 2;
  }

  /// Tells how long the step took that [#choose] was asked about last; returns whether the size
  /// changed.
  boolean took(int stepRows, long nanos) {
    if (largest == 1 || stepRows > MAX_ROWS) {
      return false;
    }
    if (!comparing) {
      stepsSince++;
      recentNanos = recentNanos == 0 ? nanos : recentNanos + RECENT_WEIGHT * (nanos - recentNanos);
      usualNanos = usualNanos == 0 ? nanos : usualNanos;
      return false;
    }
    if (trials % 2 == 1) {
      otherNanos += nanos;
    } else {
      ownNanos += nanos;
    }
    trials++;
    return trials == 2 * TRIALS && decide();
  }

  private boolean decide() {
    boolean better = otherNanos < FASTER * ownNanos;
    size = better ? other : size;
    interval = better ? FIRST_INTERVAL : Math.min(2 * interval, LONGEST_INTERVAL);
    usualNanos = (double) (better ? otherNanos : ownNanos) / TRIALS;
    recentNanos = usualNanos;
    comparing = false;
    stepsSince = 0;
    return better;
  }
}
