package dev.weft.runtime.instance;

import java.time.Duration;

/// Bounds of a device's instances.
///
/// @param maxBatchTokens rows of one step, decode and prefill together
/// @param maxSequences sequences of one step
/// @param loadThreads loads under way at once
/// @param statusInterval the shortest time between two status snapshots
/// @param busyStatusInterval the time between two while instances are busy
public record InstanceSettings(
    int maxBatchTokens,
    int maxSequences,
    int loadThreads,
    Duration statusInterval,
    Duration busyStatusInterval) {
  public static final InstanceSettings DEFAULT =
      new InstanceSettings(512, 32, 4, Duration.ofMillis(20), Duration.ofMillis(250));

  /// How long what a forced unload interrupted is kept for who goes on with it elsewhere.
  static final Duration KEPT_FOR_MOVES = Duration.ofSeconds(10);

  /// Revisions that are remembered while nothing of them is loaded.
  static final int MAX_KNOWN_REVISIONS = 1_000;

  /// The least context that a model is cut down to when memory is short and the function names
  /// none.
  static final int MIN_CONTEXT_LENGTH = 512;

  /// Where Weft chooses the context, one sequence takes at most this share of what the weights
  /// leave.
  static final double MAX_CONTEXT_SHARE = 0.5;
}
