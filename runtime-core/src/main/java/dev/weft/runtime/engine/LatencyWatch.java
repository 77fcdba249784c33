package dev.weft.runtime.engine;

import dev.weft.functions.ServiceLevel;

/// Compares the tokens of a step with what callers were promised.
final class LatencyWatch {
  private final long ttftNanos;
  private final long tpotNanos;
  private boolean slow;
  private boolean late;

  LatencyWatch(ServiceLevel level) {
    ttftNanos = level.ttft().toNanos();
    tpotNanos = level.tpot().toNanos();
  }

  /// A step begins.
  void begin() {
    slow = false;
    late = false;
  }

  /// A first token came so long after its request, or has not come yet.
  void first(long nanos) {
    late |= nanos > ttftNanos;
  }

  /// A token came so long after the one before.
  void next(long nanos) {
    slow |= nanos > tpotNanos;
  }

  /// Whether a token came too long after the one before.
  boolean slow() {
    return slow;
  }

  /// Whether a first token came too late, or is to come later than it should have.
  boolean late() {
    return late;
  }
}
