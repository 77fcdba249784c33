package dev.weft.runtime.memory;

import java.util.HashSet;
import java.util.Set;

/// A memory whose steps end when the test says so, as on a device that runs them by itself. It
/// knows which chunks take memory: those that were mapped and not discarded since.
final class StepMemory implements ChunkMemory {
  private final PlainChunkMemory memory;
  private final boolean synchronous;
  private final Set<Integer> taken = new HashSet<>();
  private int submitted;
  private int ended;
  private int inUse;

  StepMemory(int chunks, boolean synchronous) {
    memory = new PlainChunkMemory(1, chunks);
    this.synchronous = synchronous;
  }

  void endSteps() {
    ended = submitted;
    inUse = 0;
  }

  /// Says that chunks were released while steps may use them.
  void gaveUp(int chunks) {
    inUse += synchronous ? 0 : chunks;
  }

  int inUse() {
    return inUse;
  }

  int taken() {
    return taken.size();
  }

  @Override
  public Fence fence() {
    if (synchronous) {
      return Fence.PASSED;
    }
    int mark = ++submitted;
    return new Fence() {
      @Override
      public boolean passed() {
        return ended >= mark;
      }

      @Override
      public void await() {
        endSteps();
      }
    };
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
    memory.map(address, chunks);
    for (int chunk : chunks) {
      taken.add(chunk);
    }
  }

  @Override
  public void unmap(long address, int chunks) {
    memory.unmap(address, chunks);
  }

  @Override
  public void discard(int[] chunks) {
    memory.discard(chunks);
    for (int chunk : chunks) {
      taken.remove(chunk);
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}
