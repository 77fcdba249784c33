package dev.weft.platform.gateway;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.control.Fleet;
import java.util.HashSet;
import java.util.Set;

/// Where one request was refused because it would not have been in time, and whether it waits for
/// its turn by now. Asked only where there is more than one device: on a single one a refusal could
/// only mean waiting in another place.
final class Attempts {
  private final Set<DeviceId> refusedBy = new HashSet<>();
  private boolean patient;

  /// Whether the next runtime is to refuse what would be late.
  boolean inTime(Fleet.Snapshot fleet) {
    return !patient && fleet.statuses().size() > 1;
  }

  /// Notes a refusal. Returns all devices that refused.
  Set<DeviceId> refused(DeviceId device) {
    refusedBy.add(device);
    return Set.copyOf(refusedBy);
  }

  /// From now on it waits wherever it goes.
  void becomePatient() {
    patient = true;
  }
}
