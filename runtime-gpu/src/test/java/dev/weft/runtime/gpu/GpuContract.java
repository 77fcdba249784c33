package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.BackendContractTest;
import dev.weft.runtime.tensor.DType;
import java.util.OptionalDouble;

/// What every backend promises, within the GPU's bounds: it differs from the reference by KV in
/// float16 and by the order of sums in float32, whatever weights are held as.
abstract class GpuContract extends BackendContractTest {
  @Override
  protected double maxRelativeDifference(DType type) {
    return switch (type) {
      case Q4_K, Q5_K -> 0.06;
      default -> 0.015;
    };
  }

  @Override
  protected OptionalDouble minCosine() {
    return OptionalDouble.empty();
  }
}
