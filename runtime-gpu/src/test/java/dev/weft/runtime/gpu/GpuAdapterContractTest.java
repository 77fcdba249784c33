package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.AdapterContractTest;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.tensor.DType;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;

/// What every backend promises of adapters: in the emulator everywhere, and on the device where
/// there is one.
class GpuAdapterContractTest {
  @Nested
  class Emulated extends Contract {
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

  abstract static class Contract extends AdapterContractTest {
    /// KV in float16, as without adapters.
    @Override
    protected double maxRelativeDifference() {
      return 0.015;
    }

    /// Those whose products are computed in ways of their own: without tensor cores, copied to
    /// them, and decoded for them.
    @Override
    protected Stream<DType> bases() {
      return Stream.of(DType.F32, DType.BF16, DType.Q4_1);
    }
  }
}
