package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.EngineContractTest;

/// What a whole engine promises, on the native kernels.
class CpuEngineContractTest extends EngineContractTest {
  @Override
  protected Backend open() {
    return CpuDevices.backend();
  }
}
