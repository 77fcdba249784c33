package dev.weft.bench.gpu.cublas;

import java.lang.foreign.MemorySegment;

/// Strings that cuBLASLt has.
@SuppressWarnings("restricted")
final class CublasLtText {
  private static final int MOST_BYTES = 4096;

  private CublasLtText() {}

  static String string(long address) {
    return MemorySegment.ofAddress(address).reinterpret(MOST_BYTES).getString(0);
  }
}
