package dev.weft.runtime.engine;

import dev.weft.autoscaler.memory.LengthForecast;
import dev.weft.autoscaler.profile.StepTimes;
import dev.weft.autoscaler.scheduling.TokenTarget;
import dev.weft.functions.ServiceLevel;
import java.time.Duration;
import java.util.Optional;

/// When the tokens of one decoder's requests are due, and how long its answers become. Used by the
/// device's thread.
final class Deadlines {
  /// With what probability an answer does not become longer than is reckoned with.
  private static final double CONFIDENCE = 0.9;

  /// A reader feels a pause though the mean is kept: tokens that came early buy no more than this.
  private static final long LONGEST_PAUSE_NANOS = Duration.ofSeconds(1).toNanos();

  /// Steps of one grant take about so long.
  private static final long GRANT_NANOS = Duration.ofMillis(20).toNanos();

  private static final int MOST_STEPS = 8;

  private final TokenTarget target;
  private final LengthForecast lengths = new LengthForecast(new LengthForecast());

  Deadlines(ServiceLevel level) {
    target = TokenTarget.of(level);
  }

  /// Learns how long an answer became.
  void ended(int tokens) {
    lengths.saw(tokens);
  }

  LengthForecast lengths() {
    return lengths;
  }

  /// When a generation's next token is due.
  long due(Generation generation) {
    if (generation.firstToken()) {
      return target.firstDeadline(
          generation.arrivedNanos(), generation.request().promptTokens().length, 0);
    }
    return Math.min(
        target.nextDeadline(generation.firstTokenNanos(), generation.fresh()),
        generation.lastTokenNanos() + target.tokenNanos() + LONGEST_PAUSE_NANOS);
  }

  /// Whether a generation's first token is late whatever happens.
  boolean lost(Generation generation, long now) {
    return generation.firstToken() && due(generation) < now;
  }

  long tokenNanos() {
    return target.tokenNanos();
  }

  /// The most steps of one grant.
  int quota(Optional<StepTimes> times, int batch) {
    return times
        .map(known -> known.decodeNanos(Math.max(1, batch), 0))
        .map(nanos -> Math.clamp(GRANT_NANOS / Math.max(1, nanos), 1, MOST_STEPS))
        .orElse(1);
  }

  /// KV tokens that a generation holds or is expected to come to hold.
  long needed(Generation generation) {
    int produced = generation.usage().completionTokens();
    int answer = lengths.quantile(CONFIDENCE, produced, generation.request().maxTokens());
    return (long) generation.sequence().promptLength() + Math.max(answer, produced);
  }
}
