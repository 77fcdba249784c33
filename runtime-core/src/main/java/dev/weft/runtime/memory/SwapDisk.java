package dev.weft.runtime.memory;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/// What swap files lie on.
public interface SwapDisk {
  /// A new, empty file, gone when it is closed and when its process ends.
  Contents create() throws IOException;

  /// A file's bytes.
  interface Contents extends Closeable {
    /// Writes some of the remaining bytes, at least one, at `position`; returns how many.
    int write(ByteBuffer from, long position) throws IOException;

    /// Reads some bytes from `position`; returns how many, or -1 behind the end.
    int read(ByteBuffer to, long position) throws IOException;
  }
}
