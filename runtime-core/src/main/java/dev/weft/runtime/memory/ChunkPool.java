package dev.weft.runtime.memory;

import dev.weft.runtime.memory.ChunkMemory.Fence;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Which chunk of a device's memory belongs to whom. A chunk is free, owned by one [VirtualTensor],
/// or retiring: given up, and still in use by a step under way. Thread-safe.
///
/// ```
///   free --take--> owned --release--> retiring --the step has ended--> free
///                    `-------- pass: straight to another owner -------^ owned
/// ```
///
/// A free chunk takes no memory: what is released is discarded, unless it is passed on.
public final class ChunkPool implements AutoCloseable {
  private final ChunkMemory memory;
  private final @Nullable VirtualTensor[] owners;
  private final BitSet free;
  private final ArrayDeque<Retiring> retiring = new ArrayDeque<>();
  private final Set<VirtualTensor> tensors = new LinkedHashSet<>();
  private int freeCount;
  private int retiringCount;

  @SuppressWarnings("ArrayRecordComponent")
  private record Retiring(int[] chunks, Fence fence) {}

  /// The memory is this pool's from now on.
  public ChunkPool(ChunkMemory memory) {
    this.memory = memory;
    owners = new @Nullable VirtualTensor[memory.chunkCount()];
    free = new BitSet(owners.length);
    free.set(0, owners.length);
    freeCount = owners.length;
  }

  /// One owner's chunks.
  public record Holding(String owner, VirtualTensor.Kind kind, int chunks) {}

  /// The pool at one moment. `free`, `retiring` and the holdings' chunks add up to `total`.
  ///
  /// @param holdings of each tensor, by owner's name
  public record Snapshot(
      long chunkBytes, int total, int free, int retiring, List<Holding> holdings) {
    public Snapshot {
      holdings = List.copyOf(holdings);
    }

    /// Chunks that somebody has.
    public int held() {
      return total - free;
    }

    /// Chunks that tensors of one kind have.
    public int held(VirtualTensor.Kind kind) {
      return holdings.stream()
          .filter(holding -> holding.kind() == kind)
          .mapToInt(Holding::chunks)
          .sum();
    }
  }

  public long chunkBytes() {
    return memory.chunkBytes();
  }

  public int chunkCount() {
    return owners.length;
  }

  public synchronized int freeCount() {
    reap();
    return freeCount;
  }

  public synchronized Snapshot snapshot() {
    reap();
    var holdings = new ArrayList<Holding>();
    for (VirtualTensor tensor : tensors) {
      holdings.add(new Holding(tensor.owner(), tensor.kind(), tensor.mappedChunks()));
    }
    return new Snapshot(chunkBytes(), owners.length, freeCount, retiringCount, holdings);
  }

  /// Reserves addresses for `chunks` chunks of `owner`; none is mapped.
  public VirtualTensor reserve(String owner, VirtualTensor.Kind kind, int chunks) {
    var tensor = new VirtualTensor(this, owner, kind, memory.reserve(chunks), chunks, () -> {});
    synchronized (this) {
      tensors.add(tensor);
    }
    return tensor;
  }

  /// A tensor that has a memory for itself, with all chunks mapped. Closing it closes the memory.
  public static VirtualTensor whole(String owner, VirtualTensor.Kind kind, ChunkMemory memory) {
    var pool = new ChunkPool(memory);
    int chunks = memory.chunkCount();
    var tensor = new VirtualTensor(pool, owner, kind, memory.reserve(chunks), chunks, pool::close);
    synchronized (pool) {
      pool.tensors.add(tensor);
    }
    try {
      if (!tensor.tryGrow(chunks)) {
        throw new IllegalStateException("a fresh pool has %d chunks".formatted(pool.freeCount()));
      }
    } catch (RuntimeException e) {
      tensor.close();
      throw e;
    }
    return tensor;
  }

  ChunkMemory memory() {
    return memory;
  }

  /// Takes `count` free chunks, the lowest, for `owner`; none and an empty result when so many are
  /// not free. Whoever takes maps, or gives back.
  synchronized int[] tryTake(VirtualTensor owner, int count) {
    reap();
    if (count > freeCount) {
      return new int[0];
    }
    var taken = new int[count];
    int chunk = -1;
    for (int i = 0; i < count; i++) {
      chunk = free.nextSetBit(chunk + 1);
      taken[i] = chunk;
      free.clear(chunk);
      owners[chunk] = owner;
    }
    freeCount -= count;
    return taken;
  }

  /// Takes back chunks that are unmapped. They are free once the steps submitted up to now have
  /// ended.
  synchronized void release(VirtualTensor owner, int[] chunks) {
    requireOwner(owner, chunks);
    for (int chunk : chunks) {
      owners[chunk] = null;
    }
    Fence fence = memory.fence();
    retiring.add(new Retiring(chunks.clone(), fence));
    retiringCount += chunks.length;
    reap();
  }

  /// Hands unmapped chunks from one owner to another; what they hold stays.
  synchronized void pass(VirtualTensor from, VirtualTensor to, int[] chunks) {
    requireOwner(from, chunks);
    for (int chunk : chunks) {
      owners[chunk] = to;
    }
  }

  private void requireOwner(VirtualTensor owner, int[] chunks) {
    for (int chunk : chunks) {
      // Identity, not equality: a tensor is its own owner.
      if (owners[chunk] != owner) {
        throw new IllegalStateException("chunk %d is not held by %s".formatted(chunk, owner));
      }
    }
  }

  synchronized void forget(VirtualTensor tensor) {
    tensors.remove(tensor);
  }

  /// Returns once every chunk that was released is free.
  public void awaitRetired() {
    Fence last;
    synchronized (this) {
      Retiring newest = retiring.peekLast();
      if (newest == null) {
        return;
      }
      last = newest.fence;
    }
    last.await();
    synchronized (this) {
      reap();
    }
  }

  /// Steps end in the order in which they were submitted, and so do their fences.
  private void reap() {
    while (!retiring.isEmpty() && retiring.getFirst().fence.passed()) {
      int[] chunks = retiring.removeFirst().chunks;
      memory.discard(chunks);
      for (int chunk : chunks) {
        free.set(chunk);
      }
      freeCount += chunks.length;
      retiringCount -= chunks.length;
    }
  }

  /// Throws [IllegalStateException] unless every chunk is counted once. For tests and idle moments.
  public synchronized void checkIntegrity() {
    int owned = 0;
    for (int chunk = 0; chunk < owners.length; chunk++) {
      owned += owners[chunk] == null ? 0 : 1;
      if (owners[chunk] != null && free.get(chunk)) {
        throw new IllegalStateException("chunk %d is free and owned".formatted(chunk));
      }
    }
    int mapped = tensors.stream().mapToInt(VirtualTensor::mappedChunks).sum();
    if (owned != mapped
        || free.cardinality() != freeCount
        || owned + freeCount + retiringCount != owners.length) {
      throw new IllegalStateException(
          "%d owned, %d mapped, %d free, %d retiring of %d chunks"
              .formatted(owned, mapped, freeCount, retiringCount, owners.length));
    }
  }

  /// Closes the memory; every tensor must have been closed.
  @Override
  public void close() {
    awaitRetired();
    synchronized (this) {
      if (!tensors.isEmpty()) {
        throw new IllegalStateException("tensors are open: " + tensors);
      }
    }
    memory.close();
  }
}
