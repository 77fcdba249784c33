package dev.weft.autoscaler.scaling;

import dev.weft.autoscaler.scaling.KeepAlive.Loaded;
import dev.weft.autoscaler.scaling.KeepAlive.Unload;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.Why;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Which device can be emptied: all that it has are instances that idle and whose functions have
/// enough others elsewhere. Those that a burst of requests brought go so, long before their
/// keep-alive is over, and leave the device to what needs all of it. One device at a time, the one
/// with the fewest instances.
public final class Consolidation {
  private static final Duration IDLE = Duration.ofSeconds(30);

  private Consolidation() {}

  /// @param instances of which no device has two of one revision
  public static List<Unload> decide(List<Loaded> instances, Instant now) {
    Map<RevisionId, Long> ready =
        instances.stream()
            .filter(Loaded::ready)
            .collect(Collectors.groupingBy(Loaded::revision, Collectors.counting()));
    Map<String, List<Loaded>> byDevice =
        instances.stream()
            .collect(
                Collectors.groupingBy(
                    loaded -> loaded.device().value(), TreeMap::new, Collectors.toList()));
    Optional<List<Loaded>> emptied =
        byDevice.values().stream()
            .filter(on -> on.stream().allMatch(loaded -> spare(loaded, ready, now)))
            .min(Comparator.comparingInt(List::size));
    return emptied.stream()
        .flatMap(List::stream)
        .map(loaded -> unload(loaded, others(loaded, ready), now))
        .toList();
  }

  private static boolean spare(Loaded loaded, Map<RevisionId, Long> ready, Instant now) {
    return loaded.ready()
        && !loaded.busy()
        && !loaded.lastUsedAt().plus(IDLE).isAfter(now)
        && others(loaded, ready) >= Math.max(1, loaded.scaling().min());
  }

  /// Ready instances of its revision beside it, which is ready itself.
  private static long others(Loaded loaded, Map<RevisionId, Long> ready) {
    return ready.getOrDefault(loaded.revision(), 1L) - 1;
  }

  private static Unload unload(Loaded loaded, long others, Instant now) {
    long idleSeconds = Duration.between(loaded.lastUsedAt(), now).toSeconds();
    return new Unload(
        loaded.device(),
        loaded.revision(),
        new Why(
            "device_emptied",
            "idle for %ds on a device that is empty without it, and %d others answer"
                .formatted(idleSeconds, others),
            Map.of("idleSeconds", (double) idleSeconds, "others", (double) others)));
  }
}
