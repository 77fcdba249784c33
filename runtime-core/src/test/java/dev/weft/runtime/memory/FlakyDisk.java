package dev.weft.runtime.memory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;

/// A disk in memory that fails, forgets, ends files early and waits as a test says. It writes and
/// reads a part of what it is asked for at a time.
public final class FlakyDisk implements SwapDisk {
  private static final int MOST_BYTES = 1 << 12;

  /// What is asked of it.
  public enum Operation {
    CREATE,
    WRITE,
    READ
  }

  /// Which of the operations of each kind are meant, counted from 0.
  @FunctionalInterface
  public interface Which {
    Which NONE = (operation, count) -> false;

    boolean test(Operation operation, int count);
  }

  private volatile Which fails = Which.NONE;
  private volatile Which corrupts = Which.NONE;
  private volatile Runnable before = () -> {};
  private volatile int mostFileBytes = Integer.MAX_VALUE;
  private final Map<Operation, AtomicInteger> counts =
      Map.of(
          Operation.CREATE, new AtomicInteger(),
          Operation.WRITE, new AtomicInteger(),
          Operation.READ, new AtomicInteger());
  private final AtomicInteger openFiles = new AtomicInteger();

  public void fail(Which which) {
    fails = which;
  }

  /// Changes one byte of what these write, or read.
  public void corrupt(Which which) {
    corrupts = which;
  }

  /// Takes what is written behind this, and has forgotten it when it is read.
  public void endFilesAt(int bytes) {
    mostFileBytes = bytes;
  }

  /// Runs before each operation, and may wait.
  public void before(Runnable hook) {
    before = hook;
  }

  public int count(Operation operation) {
    return Objects.requireNonNull(counts.get(operation)).get();
  }

  public int openFiles() {
    return openFiles.get();
  }

  @Override
  public Contents create() throws IOException {
    begin(Operation.CREATE);
    openFiles.incrementAndGet();
    return new File();
  }

  /// Returns whether it is to be corrupted.
  private boolean begin(Operation operation) throws IOException {
    before.run();
    int count = Objects.requireNonNull(counts.get(operation)).getAndIncrement();
    if (fails.test(operation, count)) {
      throw new IOException("the disk fails");
    }
    return corrupts.test(operation, count);
  }

  private final class File implements Contents {
    private byte[] bytes = {};

    @Override
    public int write(ByteBuffer from, long position) throws IOException {
      boolean corrupt = begin(Operation.WRITE);
      int at = Math.toIntExact(position);
      int count = Math.min(MOST_BYTES, from.remaining());
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length, at + count));
      from.get(bytes, at, count);
      if (corrupt) {
        bytes[at] ^= 1;
      }
      return count;
    }

    @Override
    public int read(ByteBuffer to, long position) throws IOException {
      boolean corrupt = begin(Operation.READ);
      int at = Math.toIntExact(position);
      int count = Math.min(Math.min(bytes.length, mostFileBytes) - at, to.remaining());
      if (count <= 0) {
        return -1;
      }
      count = Math.min(MOST_BYTES, count);
      int start = to.position();
      to.put(bytes, at, count);
      if (corrupt) {
        to.put(start, (byte) (to.get(start) ^ 1));
      }
      return count;
    }

    @Override
    public void close() {
      openFiles.decrementAndGet();
    }
  }
}
