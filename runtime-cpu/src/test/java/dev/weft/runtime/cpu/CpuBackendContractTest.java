package dev.weft.runtime.cpu;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.BackendContractTest;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.tensor.DType;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;

/// What every backend promises, kept by the native kernels.
class CpuBackendContractTest {
  @Nested
  class AsInTheFile extends BackendContractTest {
    @Override
    protected Backend open() {
      return CpuDevices.backend();
    }

    /// Float types differ by KV in float16, bf16 by activations in bfloat16 in long chunks, the
    /// others by activations in int8.
    @Override
    protected double maxRelativeDifference(DType type) {
      return switch (type) {
        case F32, F16 -> 0.015;
        case BF16 -> 0.06;
        default -> 0.42;
      };
    }

    @Override
    protected double minCosine() {
      return 0.99999;
    }
  }

  /// The bound of KV in int8: what its rounding adds, in a model whose random keys have no
  /// structure for a softmax to hold on to.
  @Nested
  class KvInInt8 extends BackendContractTest {
    @Override
    protected Backend open() {
      return CpuDevices.backend();
    }

    @Override
    protected KvType kvType() {
      return KvType.INT8;
    }

    @Override
    protected Stream<DType> types() {
      return Stream.of(DType.F32, DType.F16);
    }

    @Override
    protected double maxRelativeDifference(DType type) {
      return 0.25;
    }

    @Override
    protected double minCosine() {
      return 0.99999;
    }
  }

  @Nested
  class W8a8 extends BackendContractTest {
    @Override
    protected Backend open() {
      return CpuDevices.backend();
    }

    @Override
    protected Quantization quantization() {
      return Quantization.W8A8;
    }

    @Override
    protected Stream<DType> types() {
      return Stream.of(DType.F32, DType.F16, DType.BF16);
    }

    @Override
    protected double maxRelativeDifference(DType type) {
      return 0.48;
    }

    @Override
    protected double minCosine() {
      return 0.99;
    }
  }
}
