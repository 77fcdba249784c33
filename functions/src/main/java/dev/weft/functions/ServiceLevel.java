package dev.weft.functions;

import java.time.Duration;

/// The latency that a function's callers are promised, and how much that counts. A member that a
/// manifest leaves out takes its default.
///
/// @param ttft time to first token
/// @param tpot time per output token after the first
/// @param priority how many times as much of a device's time as one of priority 1 the function gets
///   while several are late there, and of KV memory that all want; who has less makes room for who
///   has more, never the other way round
public record ServiceLevel(Duration ttft, Duration tpot, Integer priority) {
  public static final ServiceLevel DEFAULT =
      new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(200));

  public ServiceLevel {
    ttft = ttft == null ? Duration.ofSeconds(2) : ttft;
    tpot = tpot == null ? Duration.ofMillis(200) : tpot;
    priority = priority == null ? 1 : priority;
    requirePositive("spec.serviceLevel.ttft", ttft);
    requirePositive("spec.serviceLevel.tpot", tpot);
    InvalidManifestException.requireAtLeast("spec.serviceLevel.priority", priority, 1);
  }

  /// With a priority of 1.
  public ServiceLevel(Duration ttft, Duration tpot) {
    this(ttft, tpot, 1);
  }

  private static void requirePositive(String field, Duration duration) {
    if (!duration.isPositive()) {
      throw new InvalidManifestException(
          field, "%s is not positive".formatted(DurationText.format(duration)));
    }
  }
}
