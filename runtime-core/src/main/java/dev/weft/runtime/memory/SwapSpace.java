package dev.weft.runtime.memory;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A bounded part of the disk for all instances of a process, each with a [SwapFile] of its own.
/// Files have no name as soon as they are open: whatever way the process ends, nothing is left.
public final class SwapSpace {
  /// No room at all.
  public static final SwapSpace NONE = new SwapSpace(Path.of("."), 0);

  private final Path directory;
  private final long capacity;
  private long taken;

  /// @param directory made when it is first needed
  /// @param capacity bytes of all files together
  public SwapSpace(Path directory, long capacity) {
    if (capacity < 0) {
      throw new IllegalArgumentException("capacity is negative: " + capacity);
    }
    this.directory = directory;
    this.capacity = capacity;
  }

  /// Bytes that files take.
  public synchronized long taken() {
    return taken;
  }

  public long capacity() {
    return capacity;
  }

  /// A file for slots of `slotBytes`; on disk once something is written.
  public SwapFile file(long slotBytes) {
    return new SwapFile(this, slotBytes);
  }

  synchronized boolean tryTake(long bytes) {
    if (bytes > capacity - taken) {
      return false;
    }
    taken += bytes;
    return true;
  }

  synchronized void giveBack(long bytes) {
    taken -= bytes;
  }

  FileChannel openFile() throws IOException {
    Files.createDirectories(directory);
    Path file = Files.createTempFile(directory, "kv-", ".swap");
    try {
      return FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
    } finally {
      Files.delete(file);
    }
  }
}
