package dev.weft.runtime.backend;

import dev.weft.runtime.tensor.DType;

/// The reference with several threads is the reference with one, to the bit.
class ReferenceBackendContractTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return new ReferenceBackend(3);
  }

  @Override
  protected double maxRelativeDifference(DType type) {
    return 0;
  }

  @Override
  protected double minCosine() {
    return 1 - 1e-12;
  }
}
