package dev.weft.functions;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// How many instances a function has, and how long it may keep one while nobody calls.
///
/// @param min instances kept loaded always; 0 lets the function scale to zero; more than 0 pins it
/// @param max the most instances, over all devices
/// @param keepAlive idle time before the last instance is unloaded
/// @param waitBudget how long a request is held while an instance loads, before it is answered 503
public record Scaling(
    @Nullable Integer min,
    @Nullable Integer max,
    @Nullable Duration keepAlive,
    @Nullable Duration waitBudget) {
  public static final Scaling DEFAULT =
      new Scaling(0, 1, Duration.ofMinutes(5), Duration.ofSeconds(60));

  public Scaling {
    min = min == null ? 0 : min;
    max = max == null ? Math.max(1, min) : max;
    keepAlive = keepAlive == null ? Duration.ofMinutes(5) : keepAlive;
    waitBudget = waitBudget == null ? Duration.ofSeconds(60) : waitBudget;
    if (min < 0 || max < 1 || min > max) {
      throw new InvalidManifestException(
          "spec.scaling",
          "min %d and max %d: 0 <= min <= max and max >= 1 must hold".formatted(min, max));
    }
    if (keepAlive.isNegative() || waitBudget.isNegative()) {
      throw new InvalidManifestException(
          "spec.scaling", "keepAlive and waitBudget are not negative durations");
    }
  }
}
