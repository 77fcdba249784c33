package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import java.util.Optional;

/// A device of this machine, which has a runtime process of its own.
sealed interface LocalDevice {
  DeviceId id();

  /// Processors.
  ///
  /// @param cpus what its runtime is told to keep to; empty is wherever it may run
  record Cpu(DeviceId id, Optional<String> cpus) implements LocalDevice {}

  /// A graphics card.
  ///
  /// @param index in the driver's order
  record Gpu(DeviceId id, int index) implements LocalDevice {
    Gpu(int index) {
      this(new DeviceId("gpu-" + index), index);
    }
  }
}
