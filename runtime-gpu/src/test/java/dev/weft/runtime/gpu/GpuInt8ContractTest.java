package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.tensor.DType;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;

/// What every backend promises, with keys and values in int8.
class GpuInt8ContractTest {
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

  /// The bound is that of CPUs: what rounding adds, in a model whose random keys have no structure
  /// for a softmax to hold on to.
  abstract static class Contract extends GpuContract {
    @Override
    protected KvType kvType() {
      return KvType.INT8;
    }

    @Override
    protected Stream<DType> types() {
      return Stream.of(DType.F32, DType.BF16);
    }

    @Override
    protected Stream<DType> invariantTypes() {
      return types();
    }

    @Override
    protected double maxRelativeDifference(DType type) {
      return 0.25;
    }
  }
}
