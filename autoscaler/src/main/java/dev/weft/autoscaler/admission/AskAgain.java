package dev.weft.autoscaler.admission;

import dev.weft.functions.ServiceLevel;
import java.time.Duration;

/// What becomes of a request that every device refused since it, or others, would be late.
///
/// While it could still be in time on a device with nothing else to do, it stays outside and is
/// asked about again: let in, it would only make those late that are in time. Once it cannot be any
/// more there is nothing to wait for, and it waits for its turn on a device.
public final class AskAgain {
  /// A request asks each device so often, one to begin with and one at the end included.
  private static final int PAUSES = 4;

  private static final Duration LEAST_PAUSE = Duration.ofMillis(50);

  /// So long a request is at most asked about, however late its first token may come: who waits
  /// hears nothing meanwhile.
  private static final Duration LONGEST = Duration.ofSeconds(10);

  private AskAgain() {}

  /// Decides.
  ///
  /// @param waited since it came, without what it waited for a cold start
  /// @param hopeless whether it would be late on every device that was asked, were it idle
  public static Outcome decide(ServiceLevel level, Duration waited, boolean hopeless) {
    Duration until = level.ttft().compareTo(LONGEST) < 0 ? level.ttft() : LONGEST;
    Duration left = until.minus(waited);
    if (hopeless || !left.isPositive()) {
      return TakesItsTurn.TAKES_ITS_TURN;
    }
    Duration pause = until.dividedBy(PAUSES);
    Duration least = pause.compareTo(LEAST_PAUSE) < 0 ? LEAST_PAUSE : pause;
    return new After(least.compareTo(left) < 0 ? least : left);
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// It is asked about again after a pause.
  public record After(Duration pause) implements Outcome {}

  /// It goes to a device, and waits there.
  public enum TakesItsTurn implements Outcome {
    TAKES_ITS_TURN
  }
}
