package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaKernel;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.cuda.TensorMap;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import java.lang.foreign.Arena;

/// Submits the kernels of steps to the device's stream, with parameters that are written before.
final class StepLauncher {
  private final GpuDevice device;
  private final LaunchParameters parameters;
  private boolean first = true;

  /// @param arena for as long as this is used
  StepLauncher(GpuDevice device, Arena arena) {
    this.device = device;
    parameters = new LaunchParameters(arena);
  }

  /// The next kernel's parameters.
  LaunchParameters parameters() {
    return parameters;
  }

  /// Adds a matrix whose tiles the kernel has brought.
  void tensor(TensorMap map) {
    parameters.tensor(device.context().driver(), map);
  }

  /// A step begins: its first kernel waits for all that was submitted.
  void begin() {
    first = true;
  }

  /// What is launched from now on waits for a stage of weights. A kernel that began before the one
  /// in front has ended would read them before.
  void await(GpuWeights weights, int stage) {
    if (weights.await(stage, device.stream())) {
      first = true;
    }
  }

  void launch(KernelUnit unit, String name, LaunchGrid grid) {
    CudaKernel kernel = device.kernel(unit, name);
    if (first || !device.startsEarly()) {
      kernel.launch(device.stream(), grid, parameters);
    } else {
      kernel.launchEarly(device.stream(), grid, parameters);
    }
    first = false;
  }
}
