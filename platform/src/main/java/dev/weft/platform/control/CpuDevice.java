package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A CPU device of this machine: one for each set of processors that is configured, or one for all.
///
/// @param cpus what its runtime is told to keep to; empty is wherever it may run
record CpuDevice(DeviceId id, Optional<String> cpus) {
  /// In the order of their sets.
  static List<CpuDevice> of(WeftConfig.RuntimeProcess runtime) {
    if (runtime.cpus().isEmpty()) {
      return List.of(new CpuDevice(id(0), Optional.empty()));
    }
    List<CpuDevice> devices = new ArrayList<>();
    for (String cpus : runtime.cpus().get().split(";", -1)) {
      if (cpus.isBlank()) {
        throw new IllegalArgumentException(
            "weft.runtime.cpus '%s' has an empty set".formatted(runtime.cpus().get()));
      }
      devices.add(new CpuDevice(id(devices.size()), Optional.of(cpus.strip())));
    }
    return List.copyOf(devices);
  }

  private static DeviceId id(int index) {
    return new DeviceId("cpu-" + index);
  }
}
