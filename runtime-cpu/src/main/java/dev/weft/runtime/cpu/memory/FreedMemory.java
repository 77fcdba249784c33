package dev.weft.runtime.cpu.memory;

import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;

/// Memory that native code has freed and the C library keeps for the next time.
public final class FreedMemory {
  private static final NativeFunction MALLOC_TRIM =
      NativeLibrary.open("libc.so.6").function("malloc_trim");

  private FreedMemory() {}

  /// Gives it back to the system: worth it after work that took much and will not come again soon.
  /// The library lets go of what lies at the end of its heaps alone, and it keeps a heap for each
  /// thread that ever was.
  public static void giveBack() {
    MALLOC_TRIM.call(0);
  }
}
