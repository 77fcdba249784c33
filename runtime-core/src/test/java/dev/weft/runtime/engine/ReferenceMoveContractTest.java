package dev.weft.runtime.engine;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.ReferenceBackend;

class ReferenceMoveContractTest extends MoveContractTest {
  @Override
  protected Backend open(int blockTokens) {
    return blockTokens == 0 ? new ReferenceBackend(2) : new ReferenceBackend(2, blockTokens);
  }
}
