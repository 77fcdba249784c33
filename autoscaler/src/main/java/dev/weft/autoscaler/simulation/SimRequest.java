package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.admission.InstanceLoad;

/// A request on its way.
final class SimRequest implements InstanceLoad.Prompt {
  /// The most that an answer may have, as far as policies know.
  static final int MOST_ANSWER_TOKENS = 2_048;

  final SimFunction function;
  final int promptTokens;
  final int answerTokens;
  final long arrivedAt;

  /// The cold start that it waited for, the longest of them if it had several.
  long excusedNanos;

  long firstAt = -1;
  long finishedAt = -1;
  int produced;
  int evictions;

  /// KV tokens that it is expected to need.
  int neededTokens;

  /// Time it spent without an instance, and in one whose prompts wait.
  long placingNanos;

  long queuedNanos;
  long since;
  boolean dropped;

  /// Whether it ever had a place.
  boolean placed;

  SimRequest(SimFunction function, Trace.Call call) {
    this.function = function;
    this.promptTokens = call.promptTokens();
    this.answerTokens = call.answerTokens();
    this.arrivedAt = call.atNanos();
    this.since = arrivedAt;
  }

  @Override
  public long deadline() {
    return firstAt < 0
        ? function.target.firstDeadline(arrivedAt, promptTokens, excusedNanos)
        : function.target.nextDeadline(firstAt, produced);
  }

  /// Prompt and the answer so far: all of it is computed anew after an eviction.
  @Override
  public int tokens() {
    return promptTokens + produced;
  }

  /// Whether its tokens came as promised.
  boolean met(boolean withColdStart) {
    return firstInTime(withColdStart) && othersInTime();
  }

  boolean firstInTime(boolean withColdStart) {
    long excused = withColdStart ? excusedNanos : 0;
    return firstAt >= 0
        && firstAt < function.promise.firstDeadline(arrivedAt, promptTokens, excused);
  }

  /// Whether it ended, and the mean time from each token to the next was as promised.
  boolean othersInTime() {
    return finishedAt >= 0
        && (answerTokens < 2
            || (finishedAt - firstAt) / (answerTokens - 1) < function.promise.tokenNanos());
  }
}
