package dev.weft.runtime.engine;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.ReferenceBackend;

class ReferenceEngineContractTest extends EngineContractTest {
  @Override
  protected Backend open() {
    return new ReferenceBackend(2);
  }
}
