package dev.weft.autoscaler.scheduling;

import dev.weft.functions.ServiceLevel;
import java.time.Duration;

/// When a request's tokens are due.
///
/// The first is due `clamp(prompt * firstNanosPerToken, leastFirstNanos, mostFirstNanos)` after it
/// arrived, and later by as long as it had to wait for a cold start. Each further one is due
/// `tokenNanos` after the one before was, counted from when the first came: a first token that came
/// early does not make the others' due later, since callers see the mean from the first to the
/// last.
public record TokenTarget(
    long leastFirstNanos, long firstNanosPerToken, long mostFirstNanos, long tokenNanos) {
  public TokenTarget {
    if (leastFirstNanos < 1
        || firstNanosPerToken < 0
        || mostFirstNanos < leastFirstNanos
        || tokenNanos < 1) {
      throw new IllegalArgumentException(
          "not a target: first %d, %d a token, at most %d; then %d"
              .formatted(leastFirstNanos, firstNanosPerToken, mostFirstNanos, tokenNanos));
    }
  }

  /// What a function's manifest promises, whatever the prompt's length.
  public static TokenTarget of(ServiceLevel level) {
    long first = level.ttft().toNanos();
    return new TokenTarget(first, 0, first, level.tpot().toNanos());
  }

  /// First token after half a second, or a second for each 512 tokens of the prompt where that is
  /// more; then four tokens a second.
  public static TokenTarget byPromptLength() {
    return new TokenTarget(
        Duration.ofMillis(500).toNanos(),
        Duration.ofSeconds(1).toNanos() / 512,
        Long.MAX_VALUE,
        Duration.ofMillis(250).toNanos());
  }

  /// The same with every time multiplied, to aim earlier than what is promised.
  public TokenTarget times(double factor) {
    return new TokenTarget(
        (long) (leastFirstNanos * factor),
        (long) (firstNanosPerToken * factor),
        mostFirstNanos == Long.MAX_VALUE ? Long.MAX_VALUE : (long) (mostFirstNanos * factor),
        (long) (tokenNanos * factor));
  }

  /// How long after its arrival a request's first token is due.
  public long firstNanos(int promptTokens) {
    return Math.clamp(promptTokens * firstNanosPerToken, leastFirstNanos, mostFirstNanos);
  }

  /// When the first token is due.
  ///
  /// @param excusedNanos for what the request waited that nobody promised to be quick: a cold start
  public long firstDeadline(long arrivedAt, int promptTokens, long excusedNanos) {
    return arrivedAt + firstNanos(promptTokens) + excusedNanos;
  }

  /// When the token after `tokens` others is due.
  ///
  /// @param firstAt when the first came
  /// @param tokens that came so far, at least one
  public long nextDeadline(long firstAt, int tokens) {
    return firstAt + tokens * tokenNanos;
  }
}
