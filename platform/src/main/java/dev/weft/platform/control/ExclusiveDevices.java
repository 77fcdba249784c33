package dev.weft.platform.control;

import dev.weft.autoscaler.placement.Routing;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/// Which device a model gets where each serves one at a time: one that holds nothing, or the one
/// whose instances have idled longest, which go. Who finds neither waits. Used for one round, in
/// which a device is given once.
final class ExclusiveDevices {
  private static final Comparator<DeviceStatus> LONGEST_IDLE_FIRST =
      Comparator.comparing(ExclusiveDevices::lastUsedAt)
          .thenComparing(status -> status.device().value());

  private final Predicate<DeviceId> loading;
  private final Set<DeviceId> given = new HashSet<>();

  /// @param loading whether a load was asked of a device that may not show in its status yet
  ExclusiveDevices(Predicate<DeviceId> loading) {
    this.loading = loading;
  }

  /// A device, and what has to go before.
  record Place(DeviceId device, List<RevisionId> leave) {}

  /// Gives a device that may load the revision.
  Optional<Place> take(Routing.Request request, List<DeviceStatus> devices) {
    Optional<DeviceStatus> found =
        devices.stream()
            .filter(status -> !given.contains(status.device()))
            .filter(status -> !loading.test(status.device()))
            .filter(status -> held(status).stream().allMatch(ExclusiveDevices::mayGo))
            .sorted(LONGEST_IDLE_FIRST)
            .filter(status -> Routing.decide(request, List.of(status)) instanceof Routing.Loads)
            .findFirst();
    found.ifPresent(status -> given.add(status.device()));
    return found.map(status ->
        new Place(status.device(), held(status).stream().map(InstanceStatus::revision).toList()));
  }

  private static List<InstanceStatus> held(DeviceStatus status) {
    return status.instances().stream()
        .filter(instance -> instance.tier().atLeast(Tier.DEVICE) || instance.loading())
        .toList();
  }

  private static boolean mayGo(InstanceStatus instance) {
    return !instance.loading() && !instance.busy() && !instance.pinned();
  }

  /// Of the instance that was used last; an empty device comes before all others.
  private static Instant lastUsedAt(DeviceStatus status) {
    return held(status).stream()
        .map(InstanceStatus::lastUsedAt)
        .max(Comparator.naturalOrder())
        .orElse(Instant.MIN);
  }
}
