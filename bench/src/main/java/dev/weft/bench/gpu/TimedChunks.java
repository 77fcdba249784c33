package dev.weft.bench.gpu;

import dev.weft.runtime.memory.ChunkMemory;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/// A device's memory that adds up how long its mappings take to change: nothing else happens on the
/// device's thread meanwhile.
final class TimedChunks implements ChunkMemory {
  private final ChunkMemory memory;
  private final AtomicLong nanos = new AtomicLong();
  private final AtomicLong mapped = new AtomicLong();

  TimedChunks(ChunkMemory memory) {
    this.memory = memory;
  }

  /// Time that it has taken so far.
  long nanos() {
    return nanos.get();
  }

  /// Chunks that were mapped so far.
  long mapped() {
    return mapped.get();
  }

  private <T> T timed(Supplier<T> work) {
    long start = System.nanoTime();
    try {
      return work.get();
    } finally {
      nanos.addAndGet(System.nanoTime() - start);
    }
  }

  private void timed(Runnable work) {
    long start = System.nanoTime();
    try {
      work.run();
    } finally {
      nanos.addAndGet(System.nanoTime() - start);
    }
  }

  @Override
  public long chunkBytes() {
    return memory.chunkBytes();
  }

  @Override
  public int chunkCount() {
    return memory.chunkCount();
  }

  @Override
  public long reserve(int chunks) {
    return memory.reserve(chunks);
  }

  @Override
  public void free(long address, int chunks) {
    memory.free(address, chunks);
  }

  @Override
  public void map(long address, int[] chunks) {
    timed(() -> memory.map(address, chunks));
    mapped.addAndGet(chunks.length);
  }

  @Override
  public void unmap(long address, int chunks) {
    timed(() -> memory.unmap(address, chunks));
  }

  @Override
  public void discard(int[] chunks) {
    timed(() -> memory.discard(chunks));
  }

  @Override
  public Fence fence() {
    return timed(memory::fence);
  }

  @Override
  public void close() {
    memory.close();
  }
}
