package dev.weft.bench.load;

/// When the requests of an open load are due: evenly, whether earlier ones are answered or not.
public record Schedule(double perSecond, int requests) {
  private static final double SECOND = 1e9;

  public Schedule {
    if (!(perSecond > 0) || requests < 1) {
      throw new IllegalArgumentException(
          "%d requests, %s a second, are no load".formatted(requests, perSecond));
    }
  }

  public static Schedule lasting(double perSecond, double seconds) {
    return new Schedule(perSecond, (int) Math.round(perSecond * seconds));
  }

  /// Nanoseconds from the beginning to when a request is due.
  public long dueNanos(int request) {
    return Math.round(request * SECOND / perSecond);
  }
}
