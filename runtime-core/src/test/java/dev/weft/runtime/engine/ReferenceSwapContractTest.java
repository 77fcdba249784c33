package dev.weft.runtime.engine;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.ReferenceBackend;

class ReferenceSwapContractTest extends SwapContractTest {
  @Override
  protected Backend open() {
    return new ReferenceBackend(2);
  }
}
