package dev.weft.autoscaler.scaling;

import dev.weft.functions.Scaling;
import java.time.Duration;

/// How far ahead a function's next call is looked for, and what is made of the answer of its
/// [ArrivalHistory]: an instance that would go stays where it is likely to be called soon, and one
/// is made shortly before it is. What is made by this stays by it, since who stays looks at least
/// as far ahead. A function that is to go at once when it idles is not looked ahead for.
public final class Foresight {
  private static final Duration SHORTLY = Duration.ofMinutes(1);
  private static final double LIKELY = 0.5;

  private Foresight() {}

  /// For a function that has no instance.
  public static Duration toCome(Scaling scaling) {
    return scaling.keepAlive().isZero() ? Duration.ZERO : SHORTLY;
  }

  /// For an instance that idles.
  public static Duration toStay(Scaling scaling) {
    Duration keepAlive = scaling.keepAlive();
    return keepAlive.isZero() || keepAlive.compareTo(SHORTLY) > 0 ? keepAlive : SHORTLY;
  }

  /// @param probability of a call within that time
  public static boolean likely(double probability) {
    return probability > LIKELY;
  }
}
