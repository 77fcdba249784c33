package dev.weft.autoscaler.scaling;

import java.util.Arrays;
import java.util.List;

/// When a function is called next, by the times between its calls so far.
///
/// Gaps are counted in classes that are each a fifth longer than the one before, from a tenth of a
/// second on, older ones for less, so that a function whose callers change is followed. For one
/// thread.
public final class ArrivalHistory {
  private static final double FIRST_NANOS = 1e8;
  private static final double CLASSES_PER_DOUBLING = 4;
  private static final int CLASSES = 80;
  private static final double MEMORY = 0.98;
  private static final double LEAST_GAPS = 3;
  private static final double[] ENDS = ends();

  private final double[] gaps = new double[CLASSES];

  /// The sums of `gaps` from each class on.
  private final double[] from = new double[CLASSES + 1];

  private double total;
  private long lastAt = -1;

  /// What is known of a function, to be kept.
  ///
  /// @param lastAt when it was called last; negative when it never was
  /// @param gaps how many gaps of each class count
  public record State(long lastAt, List<Double> gaps) {
    public State {
      gaps = List.copyOf(gaps);
      if (gaps.size() > CLASSES || gaps.stream().anyMatch(gap -> !(gap >= 0 && gap < 1e9))) {
        throw new IllegalArgumentException("not the gaps between calls: " + gaps);
      }
    }
  }

  /// One that nothing is known of.
  public ArrivalHistory() {}

  /// One that goes on from what was kept.
  public ArrivalHistory(State kept) {
    continues(kept);
  }

  /// Puts what was known of earlier calls before those that have come since. The gap between the
  /// two is not known.
  public void continues(State earlier) {
    // What a gap of then counts now, by how many have come since.
    double faded = 1 - total * (1 - MEMORY);
    for (int i = 0; i < earlier.gaps().size(); i++) {
      gaps[i] += earlier.gaps().get(i) * faded;
    }
    for (int i = CLASSES - 1; i >= 0; i--) {
      from[i] = from[i + 1] + gaps[i];
    }
    total = from[0];
    lastAt = Math.max(lastAt, earlier.lastAt());
  }

  /// What is known now.
  public State state() {
    return new State(lastAt, Arrays.stream(gaps).boxed().toList());
  }

  /// The function is called.
  public void arrived(long now) {
    if (lastAt >= 0) {
      gaps[classOf((double) now - lastAt)] += 1 / MEMORY;
      for (int i = CLASSES - 1; i >= 0; i--) {
        gaps[i] *= MEMORY;
        from[i] = from[i + 1] + gaps[i];
      }
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
    double beyondNow = beyond((double) now - lastAt);
    return beyondNow <= 0 ? 0 : 1 - beyond((double) now - lastAt + aheadNanos) / beyondNow;
  }

  /// The first moment from `now` on at which, were it not called before, it would be called within
  /// `aheadNanos` with more than the probability; `Long.MAX_VALUE` where there is none. To within a
  /// class of gaps.
  public long likely(double probability, long aheadNanos, long now) {
    if (within(aheadNanos, now) > probability) {
      return now;
    }
    long first = Long.MAX_VALUE;
    for (int i = 0; i < CLASSES && known(); i++) {
      long begins = lastAt + (long) ENDS[i];
      for (long at : new long[] {begins, begins - aheadNanos}) {
        if (at > now && at < first && within(aheadNanos, at) > probability) {
          first = at;
        }
      }
    }
    return first;
  }

  /// The share of gaps that are longer, each class in proportion.
  private double beyond(double gap) {
    int at = classOf(gap);
    double begin = at == 0 ? 0 : ENDS[at - 1];
    double left = Math.clamp((ENDS[at] - gap) / (ENDS[at] - begin), 0, 1);
    return (from[at + 1] + gaps[at] * left) / total;
  }

  private static int classOf(double gap) {
    int found = Arrays.binarySearch(ENDS, gap);
    return Math.min(CLASSES - 1, found < 0 ? -found - 1 : found);
  }

  private static double[] ends() {
    double[] ends = new double[CLASSES];
    for (int i = 0; i < CLASSES; i++) {
      ends[i] = Math.floor(FIRST_NANOS * Math.pow(2, i / CLASSES_PER_DOUBLING));
    }
    return ends;
  }
}
