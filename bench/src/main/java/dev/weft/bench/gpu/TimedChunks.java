package dev.weft.bench.gpu;

import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.memory.ChunkMemory;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/// A device's memory that adds up how long its mappings take to change, and the device waits: all
/// the time but for changes beside a step that went on after them.
final class TimedChunks implements ChunkMemory {
  private final ChunkMemory memory;

  /// A step whose result came sooner was over when it was asked for.
  private static final long LEAST_WAIT_NANOS = 50_000;

  private final AtomicLong nanos = new AtomicLong();
  private final AtomicLong besideNanos = new AtomicLong();
  private final AtomicLong mapped = new AtomicLong();
  private volatile boolean stepRuns;
  private final AtomicLong sinceSubmitted = new AtomicLong();

  TimedChunks(ChunkMemory memory) {
    this.memory = memory;
  }

  /// Time that the device has waited so far.
  long nanos() {
    return nanos.get();
  }

  /// Time that changes have taken so far beside steps that went on after them.
  long besideNanos() {
    return besideNanos.get();
  }

  /// Watches a step that has just been submitted. For the device's thread.
  PendingStep beside(PendingStep step) {
    stepRuns = true;
    return () -> {
      stepRuns = false;
      long start = System.nanoTime();
      StepResult result = step.await();
      boolean wentOn = System.nanoTime() - start > LEAST_WAIT_NANOS;
      (wentOn ? besideNanos : nanos).addAndGet(sinceSubmitted.getAndSet(0));
      return result;
    };
  }

  private void add(long more) {
    (stepRuns ? sinceSubmitted : nanos).addAndGet(more);
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
      add(System.nanoTime() - start);
    }
  }

  private void timed(Runnable work) {
    long start = System.nanoTime();
    try {
      work.run();
    } finally {
      add(System.nanoTime() - start);
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
  public void unmap(long address, int chunks, Fence unused) {
    timed(() -> memory.unmap(address, chunks, unused));
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
