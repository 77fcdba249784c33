package dev.weft.runtime.backend;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;

/// Another decoder on a clock of its own: every row takes a millisecond, and all else no time.
public final class TimedDecoder implements DecoderExecutable {
  private static final long ROW_NANOS = 1_000_000;

  private final DecoderExecutable decoder;
  private final AtomicLong clock;

  public TimedDecoder(DecoderExecutable decoder, AtomicLong clock) {
    this.decoder = decoder;
    this.clock = clock;
  }

  @Override
  public KvLayout kvLayout() {
    return decoder.kvLayout();
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    clock.addAndGet(batch.rowCount() * ROW_NANOS);
    return decoder.forward(batch);
  }

  @Override
  public void releaseBlocks(int[] blocks) {
    decoder.releaseBlocks(blocks);
  }

  @Override
  public void moveBlocks(int[] from, int[] to) {
    decoder.moveBlocks(from, to);
  }

  @Override
  public void saveBlocks(int[] blocks, MemorySegment target) {
    decoder.saveBlocks(blocks, target);
  }

  @Override
  public void loadBlocks(int[] blocks, MemorySegment source) {
    decoder.loadBlocks(blocks, source);
  }

  @Override
  public void close() {
    decoder.close();
  }
}
