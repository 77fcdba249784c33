package dev.weft.autoscaler.scaling;

import dev.weft.functions.DurationText;
import dev.weft.functions.Limits;
import dev.weft.functions.Scaling;
import dev.weft.functions.instance.InstanceStatus.Failure;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/// Whether a caller of a cold function is held while it loads, and until when.
public final class HoldDecision {
  /// What a caller is told to wait when nothing better is known.
  static final Duration DEFAULT_RETRY_AFTER = Duration.ofSeconds(5);

  private static final Duration LEAST_RETRY_AFTER = Duration.ofSeconds(1);
  private static final Duration MOST_RETRY_AFTER = Duration.ofMinutes(5);

  private HoldDecision() {}

  /// Decides for one caller: on arrival, and again whenever the load's state or the time changes.
  public static Outcome decide(Caller caller, Load load, Instant now) {
    Optional<Failure> failure = load.failure();
    if (failure.isPresent() && failure.get().permanent()) {
      return new Failed(failure.get());
    }
    if (caller.heldBefore() >= caller.limits().maxHeldRequests()) {
      return new TooMany(
          retryAfter(load, now),
          String.format(
              Locale.ROOT,
              "%,d requests wait for this function to load, the most that may",
              caller.heldBefore()));
    }
    Duration budget = caller.scaling().waitBudget();
    Instant until = caller.arrivedAt().plus(budget);
    if (now.isBefore(until)) {
      return new Hold(until);
    }
    return new Expired(
        retryAfter(load, now),
        "the function is still loading after %s".formatted(DurationText.format(budget)));
  }

  /// From the pace of the load so far; a default where that says nothing.
  private static Duration retryAfter(Load load, Instant now) {
    Duration elapsed = Duration.between(load.startedAt(), now);
    if (load.bytesDone() <= 0 || load.bytesTotal() < load.bytesDone() || !elapsed.isPositive()) {
      return DEFAULT_RETRY_AFTER;
    }
    double leftShare = (double) (load.bytesTotal() - load.bytesDone()) / load.bytesDone();
    long seconds = (long) Math.ceil(elapsed.toMillis() / 1_000.0 * leftShare);
    return Duration.ofSeconds(
        Math.clamp(seconds, LEAST_RETRY_AFTER.toSeconds(), MOST_RETRY_AFTER.toSeconds()));
  }

  /// A caller that waits or wants to.
  ///
  /// @param heldBefore callers of the same function that came earlier and are still held
  public record Caller(Instant arrivedAt, int heldBefore, Scaling scaling, Limits limits) {}

  /// The load that callers wait for.
  ///
  /// @param bytesTotal 0 while unknown
  public record Load(
      Instant startedAt, long bytesDone, long bytesTotal, Optional<Failure> failure) {
    public static Load startedAt(Instant at) {
      return new Load(at, 0, 0, Optional.empty());
    }
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// Hold, at the longest until `until`.
  public record Hold(Instant until) implements Outcome {}

  /// The wait budget is over: 503 and `Retry-After`.
  public record Expired(Duration retryAfter, String reason) implements Outcome {}

  /// Too many wait already: 429 and `Retry-After`.
  public record TooMany(Duration retryAfter, String reason) implements Outcome {}

  /// The load failed for good: waiting cannot help.
  public record Failed(Failure failure) implements Outcome {}
}
