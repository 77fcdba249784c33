package dev.weft.platform.control;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Which instances each revision has on reachable devices. A device that publishes costs as much as
/// it has instances, and a question costs the same however many devices there are. **thread**: any
/// may ask while one at a time replaces.
final class Placements {
  private final Map<RevisionId, List<Fleet.Placed>> placed = new ConcurrentHashMap<>();

  /// In the order of their devices' ids.
  List<Fleet.Placed> of(RevisionId revision) {
    return placed.getOrDefault(revision, List.of());
  }

  /// Puts a device in its own earlier state's place, which is `null` for a new one. Of a revision
  /// that it has before and after, nobody sees it without.
  void replace(Fleet.@Nullable Device before, Fleet.Device after) {
    Map<RevisionId, InstanceStatus> now = instances(after);
    if (before != null) {
      instances(before).keySet().stream()
          .filter(revision -> !now.containsKey(revision))
          .forEach(revision -> set(revision, after, null));
    }
    now.forEach((revision, instance) -> set(revision, after, instance));
  }

  private void set(RevisionId revision, Fleet.Device device, @Nullable InstanceStatus instance) {
    List<Fleet.Placed> changed = new ArrayList<>(of(revision));
    changed.removeIf(each -> each.device().id().equals(device.id()));
    if (instance != null) {
      changed.add(new Fleet.Placed(device, instance));
      changed.sort(Comparator.comparing(each -> each.device().id().value()));
    }
    if (changed.isEmpty()) {
      placed.remove(revision);
    } else {
      placed.put(revision, List.copyOf(changed));
    }
  }

  private static Map<RevisionId, InstanceStatus> instances(Fleet.Device device) {
    DeviceStatus status = device.status();
    Map<RevisionId, InstanceStatus> instances = new HashMap<>();
    if (status != null && device.reachable()) {
      status.instances().forEach(instance -> instances.put(instance.revision(), instance));
    }
    return instances;
  }
}
