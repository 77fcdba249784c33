package dev.weft.runtime.memory;

import dev.weft.runtime.memory.ChunkMemory.Fence;
import java.util.Arrays;

/// A reserved range of addresses whose beginning is mapped: it grows and shrinks at its end, and
/// never moves. What lies beyond [#mappedChunks] must not be touched.
///
/// ```
///   address()                        + mappedChunks            + reservedChunks
///   | 17 | 18 |  3 |  9 | 10 | 11 |  .  .  .  .  .  .  .  .  .  |
///     chunks of the pool, in any order        nothing mapped
/// ```
///
/// The mapping is changed by one thread, the device's, where no step that runs uses it; counts may
/// be read by any.
public final class VirtualTensor implements AutoCloseable {
  private final ChunkPool pool;
  private final String owner;
  private final Kind kind;
  private final long address;
  private final int reservedChunks;
  private final Runnable onClose;
  private int[] chunks = new int[0];
  private volatile int mappedChunks;
  private int vacated = Integer.MAX_VALUE;
  private Fence vacant = Fence.PASSED;
  private boolean closed;

  /// What a tensor holds.
  public enum Kind {
    KV,
    ACTIVATION
  }

  VirtualTensor(
      ChunkPool pool, String owner, Kind kind, long address, int reserved, Runnable onClose) {
    this.pool = pool;
    this.owner = owner;
    this.kind = kind;
    this.address = address;
    this.reservedChunks = reserved;
    this.onClose = onClose;
  }

  public String owner() {
    return owner;
  }

  public Kind kind() {
    return kind;
  }

  /// Where it begins, for the device's kernels; aligned to a chunk.
  public long address() {
    return address;
  }

  public int reservedChunks() {
    return reservedChunks;
  }

  public int mappedChunks() {
    return mappedChunks;
  }

  public long chunkBytes() {
    return pool.chunkBytes();
  }

  public long mappedBytes() {
    return mappedChunks * pool.chunkBytes();
  }

  /// Maps free chunks until there are `size`; when so many are not free, changes nothing and
  /// returns false.
  public boolean tryGrow(int size) {
    int missing = checkedSize(size) - mappedChunks;
    if (missing <= 0) {
      return true;
    }
    int[] taken = pool.tryTake(this, missing);
    if (taken.length == 0) {
      return false;
    }
    try {
      append(taken);
    } catch (RuntimeException e) {
      pool.release(this, taken);
      throw e;
    }
    return true;
  }

  /// Unmaps what lies beyond `size` chunks and gives it back to the pool; returns how many.
  public int shrink(int size) {
    int[] released = cut(size);
    if (released.length > 0) {
      pool.release(this, released);
    }
    return released.length;
  }

  /// Hands what lies beyond `size` chunks over to the end of `other`, with what it holds; returns
  /// how many. Only between steps of both, or where it is [vacant][#vacantBeyond].
  public int shrinkInto(VirtualTensor other, int size) {
    other.checkedSize(other.mappedChunks + Math.max(0, mappedChunks - size));
    int[] passed = cut(size);
    if (passed.length == 0) {
      return 0;
    }
    pool.pass(this, other, passed);
    try {
      other.append(passed);
    } catch (RuntimeException e) {
      pool.release(other, passed);
      throw e;
    }
    return passed.length;
  }

  /// Says that nothing which is submitted from now on uses what lies beyond `size` chunks: that can
  /// be unmapped beside later steps.
  void vacate(int size) {
    if (size < mappedChunks) {
      vacated = size;
      vacant = pool.memory().fence();
    }
  }

  /// Whether nothing that runs uses what lies beyond `size` chunks, as far as was said.
  boolean vacantBeyond(int size) {
    return size >= vacated && vacant.passed();
  }

  private int checkedSize(int size) {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
    if (size < 0 || size > reservedChunks) {
      throw new IllegalArgumentException(
          "%d chunks asked for; %s has addresses for %d".formatted(size, this, reservedChunks));
    }
    return size;
  }

  private void append(int[] more) {
    pool.memory().map(address + mappedBytes(), more);
    int size = mappedChunks;
    if (size + more.length > chunks.length) {
      chunks = Arrays.copyOf(chunks, Math.max(size + more.length, 2 * size));
    }
    System.arraycopy(more, 0, chunks, size, more.length);
    mappedChunks = size + more.length;
  }

  private int[] cut(int size) {
    int surplus = mappedChunks - checkedSize(size);
    if (surplus <= 0) {
      return new int[0];
    }
    long from = address + size * pool.chunkBytes();
    if (size >= vacated) {
      pool.memory().unmap(from, surplus, vacant);
    } else {
      pool.memory().unmap(from, surplus);
    }
    int[] cut = Arrays.copyOfRange(chunks, size, mappedChunks);
    mappedChunks = size;
    return cut;
  }

  /// Gives everything back. Closing twice is harmless.
  @Override
  public void close() {
    if (closed) {
      return;
    }
    shrink(0);
    closed = true;
    pool.memory().free(address, reservedChunks);
    pool.forget(this);
    onClose.run();
  }

  @Override
  public String toString() {
    return "%s of %s".formatted(kind, owner);
  }
}
