package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.MoveContractTest;

/// What is promised of moves, on the native kernels, with keys and values of 16 and 8 bits.
class CpuMoveContractTest extends MoveContractTest {
  @Override
  protected Backend open(int blockTokens) {
    return blockTokens == 0 ? CpuDevices.backend() : CpuDevices.backend(blockTokens);
  }

  /// Sums of attention are merged block by block.
  @Override
  protected boolean sumsFollowBlocks() {
    return true;
  }
}
