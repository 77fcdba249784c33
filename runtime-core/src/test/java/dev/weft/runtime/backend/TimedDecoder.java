package dev.weft.runtime.backend;

import java.util.concurrent.atomic.AtomicLong;

/// Another decoder on a clock of its own: every row takes a millisecond, and all else no time.
public final class TimedDecoder extends ForwardingDecoder {
  private static final long ROW_NANOS = 1_000_000;

  private final AtomicLong clock;

  public TimedDecoder(DecoderExecutable decoder, AtomicLong clock) {
    super(decoder);
    this.clock = clock;
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    clock.addAndGet(batch.rowCount() * ROW_NANOS);
    return super.forward(batch);
  }
}
