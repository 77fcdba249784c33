package dev.weft.functions;

import java.time.Duration;

/// How many instances a function has, and how long it may keep one while nobody calls. A member
/// that a manifest leaves out takes its default.
///
/// @param min instances kept loaded always; 0 lets the function scale to zero; more than 0 pins it
/// @param max the most instances, over all devices; 1, or `min` where that is more, when left out
/// @param keepAlive idle time before an instance is unloaded, unless the next call is likely to
///   come within as much time, or a minute where that is more; 0 unloads it at once; a year at most
/// @param waitBudget how long a request is held while an instance loads, before it is answered 503;
///   a day at most
public record Scaling(Integer min, Integer max, Duration keepAlive, Duration waitBudget) {
  private static final Duration LONGEST_KEEP_ALIVE = Duration.ofDays(365);
  private static final Duration LONGEST_WAIT = Duration.ofDays(1);

  public static final Scaling DEFAULT =
      new Scaling(0, 1, Duration.ofMinutes(5), Duration.ofSeconds(60));

  public Scaling {
    min = min == null ? 0 : min;
    max = max == null ? Math.max(1, min) : max;
    keepAlive = keepAlive == null ? Duration.ofMinutes(5) : keepAlive;
    waitBudget = waitBudget == null ? Duration.ofSeconds(60) : waitBudget;
    InvalidManifestException.requireAtLeast("spec.scaling.min", min, 0);
    InvalidManifestException.requireAtLeast("spec.scaling.max", max, 1);
    if (min > max) {
      throw new InvalidManifestException(
          "spec.scaling", "min is %d, more than max, which is %d".formatted(min, max));
    }
    requireUpTo(LONGEST_KEEP_ALIVE, "spec.scaling.keepAlive", keepAlive);
    requireUpTo(LONGEST_WAIT, "spec.scaling.waitBudget", waitBudget);
  }

  /// Whether the function's instances stay loaded while nobody calls.
  public boolean pinned() {
    return min > 0;
  }

  private static void requireUpTo(Duration longest, String field, Duration duration) {
    if (duration.isNegative()) {
      throw new InvalidManifestException(
          field, "%s is negative".formatted(DurationText.format(duration)));
    }
    if (duration.compareTo(longest) > 0) {
      throw new InvalidManifestException(
          field,
          "%s is more than %s"
              .formatted(DurationText.format(duration), DurationText.format(longest)));
    }
  }
}
