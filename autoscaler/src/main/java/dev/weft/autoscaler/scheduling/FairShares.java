package dev.weft.autoscaler.scheduling;

/// What each function got lately, so that none starves where there is not enough for all.
///
/// Of the devices' time, for its weight: whoever got least goes first when several wait. Time
/// counts for half after a while, five minutes unless said otherwise, so a function that is called
/// rarely finds its share unused, and one that is called all the time pays for what it takes.
///
/// Of places: a function is *owed* one while fewer than a tenth of its requests got one, the first
/// always. To owe more costs more than it brings: where everybody is owed, everybody is displaced.
///
/// For functions by their numbers, and for one thread.
public final class FairShares {
  private static final double HALF_LIFE_NANOS = 300e9;
  private static final double LEAST_PLACED = 0.1;
  private static final double NANOS_PER_SECOND = 1e9;

  private final double halfLifeNanos;
  private final double[] weights;
  private final double[] nanos;
  private final long[] at;
  private final int[] arrived;
  private final int[] placed;

  /// @param weights of the functions, above 0
  public FairShares(double... weights) {
    this(HALF_LIFE_NANOS, weights);
  }

  /// @param halfLifeNanos after which time counts for half
  /// @param weights of the functions, above 0
  public static FairShares forgetting(long halfLifeNanos, double... weights) {
    return new FairShares(halfLifeNanos, weights);
  }

  private FairShares(double halfLifeNanos, double[] weights) {
    this.halfLifeNanos = halfLifeNanos;
    this.weights = weights.clone();
    this.nanos = new double[weights.length];
    this.at = new long[weights.length];
    this.arrived = new int[weights.length];
    this.placed = new int[weights.length];
    for (double weight : weights) {
      if (!(weight > 0)) {
        throw new IllegalArgumentException("a weight is not positive: " + weight);
      }
    }
  }

  /// A request came.
  public void arrived(int function) {
    arrived[function]++;
  }

  /// A request that came got a place, for the first time.
  public void placed(int function) {
    placed[function]++;
  }

  /// A function's steps took so much of a device's time.
  public void used(int function, long stepNanos, long now) {
    nanos[function] = left(function, now) + stepNanos;
    at[function] = now;
  }

  /// Seconds of a device that a function got lately, for a weight of 1.
  public double got(int function, long now) {
    return left(function, now) / weights[function] / NANOS_PER_SECOND;
  }

  /// Whether others may be displaced for it.
  public boolean owed(int function) {
    return placed[function] < LEAST_PLACED * arrived[function];
  }

  private double left(int function, long now) {
    return nanos[function] * Math.pow(2, (at[function] - now) / halfLifeNanos);
  }
}
