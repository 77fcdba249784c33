package dev.weft.functions;

import java.time.Duration;

/// The latency that a function's callers are promised. A member that a manifest leaves out takes
/// its default.
///
/// @param ttft time to first token
/// @param tpot time per output token after the first
public record ServiceLevel(Duration ttft, Duration tpot) {
  public static final ServiceLevel DEFAULT =
      new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(200));

  public ServiceLevel {
    ttft = ttft == null ? Duration.ofSeconds(2) : ttft;
    tpot = tpot == null ? Duration.ofMillis(200) : tpot;
    requirePositive("spec.serviceLevel.ttft", ttft);
    requirePositive("spec.serviceLevel.tpot", tpot);
  }

  private static void requirePositive(String field, Duration duration) {
    if (!duration.isPositive()) {
      throw new InvalidManifestException(
          field, "%s is not positive".formatted(DurationText.format(duration)));
    }
  }
}
