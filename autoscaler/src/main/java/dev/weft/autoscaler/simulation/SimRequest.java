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

  long firstAt = Served.NEVER;
  long finishedAt = Served.NEVER;
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

  /// When its first token was promised to be there.
  long promisedAt() {
    return function.promise.firstDeadline(arrivedAt, promptTokens, excusedNanos);
  }

  @Override
  public boolean lost(long now) {
    return firstAt < 0 && deadline() < now;
  }

  /// Prompt and the answer so far: all of it is computed anew after an eviction.
  @Override
  public int tokens() {
    return promptTokens + produced;
  }

  /// How it went up to now.
  Served served() {
    return new Served(arrivedAt, promptTokens, answerTokens, firstAt, finishedAt, excusedNanos);
  }
}
