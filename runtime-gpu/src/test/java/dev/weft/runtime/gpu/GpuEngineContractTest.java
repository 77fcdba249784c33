package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.EngineContractTest;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;

/// What a whole engine promises: in the emulator everywhere, and on the device where there is one.
class GpuEngineContractTest {
  /// By how much the emulator's steps are slower than what service levels are meant for: everybody
  /// would be late, and then shares of time decide whose step is next.
  private static final int SLOWNESS = 1000;

  @Nested
  class Emulated extends Contract {
    Emulated() {
      clock = () -> System.nanoTime() / SLOWNESS;
    }

    @Override
    protected Backend open() {
      return EmulatedGpu.backend();
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends Contract {
    @Override
    protected Backend open() {
      return RealGpu.backend();
    }
  }

  abstract static class Contract extends EngineContractTest {}
}
