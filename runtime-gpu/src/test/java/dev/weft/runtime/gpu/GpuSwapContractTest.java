package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.HostSwapContractTest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;

/// What is promised of swapping with the host's memory in front of the file: in the emulator, whose
/// streams are as late as they may be, and on the device where there is one.
class GpuSwapContractTest {
  @Nested
  class Emulated extends HostSwapContractTest {
    @Override
    protected Backend open(int slabs, long slabBytes) {
      return EmulatedGpu.backend(new HostMemoryLimit(0, slabBytes, slabs * slabBytes));
    }

    @BeforeEach
    void late() {
      EmulatedGpu.late(true);
    }

    @AfterEach
    void atOnce() {
      EmulatedGpu.late(false);
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends HostSwapContractTest {
    @Override
    protected Backend open(int slabs, long slabBytes) {
      return RealGpu.backend(new HostMemoryLimit(0, slabBytes, slabs * slabBytes));
    }
  }
}
