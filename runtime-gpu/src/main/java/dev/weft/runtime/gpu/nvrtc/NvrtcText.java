package dev.weft.runtime.gpu.nvrtc;

import java.lang.foreign.MemorySegment;

/// Strings that NVRTC has.
@SuppressWarnings("restricted")
final class NvrtcText {
  private static final int MOST_BYTES = 4096;

  private NvrtcText() {}

  static String string(long address) {
    return MemorySegment.ofAddress(address).reinterpret(MOST_BYTES).getString(0);
  }
}
