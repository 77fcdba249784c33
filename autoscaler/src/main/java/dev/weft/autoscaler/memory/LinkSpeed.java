package dev.weft.autoscaler.memory;

/// How fast bytes come from another device, as far as it was seen. What is large says more of it
/// than what is small. Immutable; each transfer gives the next one.
public record LinkSpeed(double bytesPerSecond) {
  /// Before anything was seen: a network of a gigabit a second.
  public static final LinkSpeed PRIOR = new LinkSpeed(100e6);

  /// What a transfer takes however small it is: a connection, and turns of both devices.
  static final long SETUP_NANOS = 5_000_000;

  private static final double MOST_WEIGHT = 0.5;

  /// So many bytes have the most weight.
  private static final double TELLING_BYTES = 8 << 20;

  public LinkSpeed {
    if (!(bytesPerSecond > 0)) {
      throw new IllegalArgumentException(bytesPerSecond + " bytes a second");
    }
  }

  /// How long so many bytes are expected to take.
  public long nanos(long bytes) {
    return SETUP_NANOS + (long) ((double) bytes / bytesPerSecond * 1e9);
  }

  /// After so many bytes came in such a time.
  public LinkSpeed after(long bytes, long nanos) {
    if (bytes <= 0 || nanos <= 0) {
      return this;
    }
    double weight = MOST_WEIGHT * Math.min(1, (double) bytes / TELLING_BYTES);
    double took = Math.max((double) (nanos - SETUP_NANOS), (double) nanos / 2);
    double seen = (double) bytes * 1e9 / took;
    // In logarithms: speeds differ by factors.
    return new LinkSpeed(
        Math.exp((1 - weight) * Math.log(bytesPerSecond) + weight * Math.log(seen)));
  }
}
