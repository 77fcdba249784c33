package dev.weft.runtime.cpu;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.AdapterContractTest;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.tensor.DType;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;

/// What every backend promises of adapters, kept by the native kernels.
class CpuAdapterContractTest {
  @Nested
  class AsInTheFile extends AdapterContractTest {
    @Override
    protected Backend open() {
      return CpuDevices.backend();
    }

    /// KV in float16, as without adapters.
    @Override
    protected double maxRelativeDifference() {
      return 0.015;
    }
  }

  @Nested
  class W8a8 extends AdapterContractTest {
    @Override
    protected Backend open() {
      return CpuDevices.backend();
    }

    @Override
    protected Quantization quantization() {
      return Quantization.W8A8;
    }

    @Override
    protected Stream<DType> bases() {
      return Stream.of(DType.F32, DType.BF16);
    }

    /// The base's own: activations and weights in int8.
    @Override
    protected double maxRelativeDifference() {
      return 0.48;
    }
  }
}
