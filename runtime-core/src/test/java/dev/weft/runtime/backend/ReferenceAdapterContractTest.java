package dev.weft.runtime.backend;

class ReferenceAdapterContractTest extends AdapterContractTest {
  @Override
  protected Backend open() {
    return new ReferenceBackend(2);
  }

  /// The order of the sums differs, and nothing else.
  @Override
  protected double maxRelativeDifference() {
    return 1e-4;
  }
}
