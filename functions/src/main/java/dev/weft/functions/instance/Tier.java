package dev.weft.functions.instance;

/// How near a revision's weights are to answering, farthest first.
public enum Tier {
  /// Only its source has them.
  REMOTE,
  /// Files in this node's cache.
  DISK,
  /// In host memory (the page cache counts on a CPU).
  HOST,
  /// In the device's memory, not yet serving.
  DEVICE,
  /// Serving.
  READY;

  public boolean atLeast(Tier other) {
    return compareTo(other) >= 0;
  }
}
