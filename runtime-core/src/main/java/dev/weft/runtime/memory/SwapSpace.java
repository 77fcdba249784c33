package dev.weft.runtime.memory;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// A bounded part of the disk for all instances of a process, each with a [SwapFile] of its own.
///
/// One thread reads and writes all of them, in the order in which it is asked, so that no other
/// waits for a disk.
public final class SwapSpace {
  /// The thread ends when nothing was to be done for so long.
  private static final Duration THREAD_KEPT = Duration.ofSeconds(10);

  /// No room at all.
  public static final SwapSpace NONE = new SwapSpace(new SwapDirectory(Path.of(".")), 0);

  private final SwapDisk disk;
  private final long capacity;
  private final ThreadPoolExecutor thread;
  private long taken;

  /// @param directory made when it is first needed
  /// @param capacity bytes of all files together
  public SwapSpace(Path directory, long capacity) {
    this(new SwapDirectory(directory), capacity);
  }

  /// @param capacity bytes of all files together
  public SwapSpace(SwapDisk disk, long capacity) {
    if (capacity < 0) {
      throw new IllegalArgumentException("capacity is negative: " + capacity);
    }
    this.disk = disk;
    this.capacity = capacity;
    thread =
        new ThreadPoolExecutor(
            1,
            1,
            THREAD_KEPT.toNanos(),
            TimeUnit.NANOSECONDS,
            new LinkedBlockingQueue<>(),
            Thread.ofPlatform().name("weft-swap").daemon().factory());
    thread.allowCoreThreadTimeOut(true);
  }

  /// Runs a task on the thread of all files, after those that were asked for before. What waits is
  /// bounded by those who ask.
  public void execute(Runnable task) {
    thread.execute(task);
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

  synchronized boolean hasRoom(long bytes) {
    return bytes <= capacity - taken;
  }

  synchronized boolean tryTake(long bytes) {
    if (!hasRoom(bytes)) {
      return false;
    }
    taken += bytes;
    return true;
  }

  synchronized void giveBack(long bytes) {
    taken -= bytes;
  }

  SwapDisk.Contents openFile() throws IOException {
    return disk.create();
  }
}
