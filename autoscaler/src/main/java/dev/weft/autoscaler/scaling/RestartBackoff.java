package dev.weft.autoscaler.scaling;

import dev.weft.functions.DurationText;
import java.time.Duration;
import java.time.Instant;

/// When to start a process again that died: after `first`, then twice as long each time up to
/// `cap`. One that ran for `stableAfter` begins anew.
public record RestartBackoff(Duration first, Duration cap, Duration stableAfter) {
  /// The first restart is soon enough for callers that wait a few seconds.
  public static final RestartBackoff DEFAULT =
      new RestartBackoff(Duration.ofMillis(250), Duration.ofSeconds(30), Duration.ofSeconds(60));

  private static final int MAX_DOUBLINGS = 40;

  public RestartBackoff {
    if (!first.isPositive() || cap.compareTo(first) < 0 || stableAfter.isNegative()) {
      throw new IllegalArgumentException(
          "first %s, cap %s, stableAfter %s".formatted(first, cap, stableAfter));
    }
  }

  /// Decides after an exit.
  ///
  /// @param failures exits in a row before this one, as the last decision had them; 0 at first
  public Restart afterExit(int failures, Instant startedAt, Instant now) {
    Duration ran = Duration.between(startedAt, now);
    boolean stable = ran.compareTo(stableAfter) >= 0;
    int inARow = stable ? 1 : failures + 1;
    Duration delay = delay(inARow);
    return new Restart(
        inARow,
        now.plus(delay),
        "ran for %ds, exit %d in a row; starts again in %s"
            .formatted(Math.max(0, ran.toSeconds()), inARow, DurationText.format(delay)));
  }

  private Duration delay(int inARow) {
    int doublings = Math.min(inARow - 1, MAX_DOUBLINGS);
    Duration delay = first;
    for (int i = 0; i < doublings && delay.compareTo(cap) < 0; i++) {
      delay = delay.multipliedBy(2);
    }
    return delay.compareTo(cap) < 0 ? delay : cap;
  }

  /// Start again at `at`; give `failures` to the next decision.
  public record Restart(int failures, Instant at, String reason) {}
}
