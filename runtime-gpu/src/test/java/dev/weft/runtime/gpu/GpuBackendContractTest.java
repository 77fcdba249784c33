package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Backend;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;

/// What every backend promises, kept by the GPU's kernels: in the emulator everywhere, and on the
/// device where there is one.
class GpuBackendContractTest {
  @Nested
  class Emulated extends GpuContract {
    @Override
    protected Backend open() {
      return EmulatedGpu.backend();
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC: see weft-runtime-gpu --probe")
  class OnTheDevice extends GpuContract {
    @Override
    protected Backend open() {
      return RealGpu.backend();
    }
  }
}
