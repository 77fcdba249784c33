package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.BackendContractTest;
import dev.weft.runtime.tensor.DType;
import java.util.stream.Stream;

/// What every backend promises, within the GPU's bounds: it differs from the reference by KV in
/// float16 and, but for weights of float32, by weights and activations in bfloat16.
abstract class GpuContract extends BackendContractTest {
  /// Float32 without tensor cores, what is copied to them, and what is decoded for them.
  @Override
  protected Stream<DType> invariantTypes() {
    return Stream.of(DType.F32, DType.BF16, DType.Q4_K);
  }

  @Override
  protected double maxRelativeDifference(DType type) {
    return switch (type) {
      case F32 -> 0.015;
      case BF16 -> 0.08;
      case F16 -> 0.11;
      default -> 0.2;
    };
  }

  /// What logits weigh is rounded otherwise than on the host.
  @Override
  protected double maxLogprobDifference() {
    return StepSampling.MARGIN;
  }

  /// Of an encoder in float32: queries, keys and values are float16.
  @Override
  protected double minCosine() {
    return 0.99999;
  }
}
