package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.SwapContractTest;

class CpuSwapContractTest extends SwapContractTest {
  @Override
  protected Backend open() {
    return CpuDevices.backend();
  }
}
