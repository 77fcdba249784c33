package dev.weft.functions.instance;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import java.util.List;
import java.util.Set;

/// What a runtime says of its device: the authority that gateways and the controller work on
/// snapshots of.
///
/// @param version grows by one with every change, within one [#runtimeId]
/// @param runtimeId differs for each start of the runtime process
/// @param quantizations what this device can run
public record DeviceStatus(
    DeviceId device,
    DeviceClass deviceClass,
    String runtimeId,
    long version,
    Phase phase,
    Memory memory,
    Set<Quantization> quantizations,
    Set<Capability> capabilities,
    List<InstanceStatus> instances) {
  public DeviceStatus {
    quantizations = Set.copyOf(quantizations);
    capabilities = Set.copyOf(capabilities);
    instances = List.copyOf(instances);
  }

  /// The life of a runtime process.
  public enum Phase {
    STARTING,
    READY,
    DRAINING,
    FAILED
  }

  /// What a device can do beyond running a model.
  public enum Capability {
    /// KV memory may grow while an instance runs.
    GROWS_KV
  }

  /// Bytes of the device's memory: all that Weft may use, what is promised, what is held.
  public record Memory(long capacityBytes, long plannedBytes, long actualBytes) {
    public long freeBytes() {
      return capacityBytes - plannedBytes;
    }
  }
}
