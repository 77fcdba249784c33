package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.scheduling.TokenTarget;

/// When the tokens of a request came, on whatever clock: what it means that they came as promised,
/// for simulated requests and for real ones.
///
/// @param firstAt when its first token came, or [#NEVER]
/// @param finishedAt when its last one did, or [#NEVER]
/// @param excusedNanos the cold start that it waited for
public record Served(
    long arrivedAt,
    int promptTokens,
    int answerTokens,
    long firstAt,
    long finishedAt,
    long excusedNanos) {
  public static final long NEVER = -1;

  /// Whether its tokens came as promised.
  ///
  /// @param withColdStart whether the first may be later by the cold start
  public boolean met(TokenTarget promise, boolean withColdStart) {
    return firstInTime(promise, withColdStart) && othersInTime(promise);
  }

  public boolean firstInTime(TokenTarget promise, boolean withColdStart) {
    long excused = withColdStart ? excusedNanos : 0;
    return firstAt != NEVER && firstAt < promise.firstDeadline(arrivedAt, promptTokens, excused);
  }

  /// Whether it ended, and the mean time from each token to the next was as promised.
  public boolean othersInTime(TokenTarget promise) {
    return finishedAt != NEVER
        && (answerTokens < 2 || (finishedAt - firstAt) / (answerTokens - 1) < promise.tokenNanos());
  }
}
