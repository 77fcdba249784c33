package dev.weft.runtime.gpu.cuda;

import java.lang.foreign.MemorySegment;

/// Memory that the driver says is there.
@SuppressWarnings("restricted")
final class HostMemory {
  /// The longest text that the driver has for a status.
  private static final int TEXT_BYTES = 4096;

  private HostMemory() {}

  /// So many bytes at an address that the driver allocated.
  static MemorySegment at(long address, long byteSize) {
    return MemorySegment.ofAddress(address).reinterpret(byteSize);
  }

  /// A string of the driver's.
  static String string(long address) {
    return at(address, TEXT_BYTES).getString(0);
  }
}
