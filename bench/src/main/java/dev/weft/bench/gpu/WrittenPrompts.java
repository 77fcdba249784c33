package dev.weft.bench.gpu;

import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.HostBlocks;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.sampling.SampledToken;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;

/// A decoder whose prompts need not be computed: what the engine plans of them is written into
/// their blocks instead, random keys and values from pinned memory. A step that has a part of one
/// computes nothing, and gives any token to who waits for one. Memory, plans and all steps without
/// prompts are as always; a prompt of 128K tokens takes a second instead of a minute.
final class WrittenPrompts implements DecoderExecutable {
  private static final int BLOCKS_AT_ONCE = 32;
  private static final SampledToken ANY = new SampledToken(0, 0, List.of());

  private final DecoderExecutable decoder;
  private final UnaryOperator<PendingStep> watch;
  private final PinnedBuffer values;
  private final MemorySegment blocks;

  /// Whether they are computed after all.
  private volatile boolean computed;

  /// @param watch puts something around steps that compute
  WrittenPrompts(CudaDriver driver, DecoderExecutable decoder, UnaryOperator<PendingStep> watch) {
    this.decoder = decoder;
    this.watch = watch;
    long bytes = BLOCKS_AT_ONCE * decoder.kvLayout().blockBytes();
    try (var context = new CudaContext(driver, 0)) {
      values = new PinnedBuffer(context, bytes);
    }
    blocks = values.segment();
    var random = new SplittableRandom(1);
    for (long i = 0; i < bytes / Long.BYTES; i++) {
      // Of float16, from 1/16 up to 1/8, of either sign.
      blocks.setAtIndex(
          ValueLayout.JAVA_LONG,
          i,
          (random.nextLong() & 0x83ff83ff83ff83ffL) | 0x2c002c002c002c00L);
    }
  }

  /// From now on prompts are computed.
  void compute() {
    computed = true;
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    List<StepBatch.Entry> prompts =
        batch.entries().stream().filter(entry -> entry.tokens().length > 1).toList();
    if (computed || prompts.isEmpty()) {
      return watch.apply(decoder.forward(batch));
    }
    prompts.forEach(this::write);
    return () -> new StepResult(batch.entries().stream().map(WrittenPrompts::anyToken).toList());
  }

  private static StepResult.Entry anyToken(StepBatch.Entry entry) {
    List<SampledToken> sampled = entry.samples().isEmpty() ? List.of() : List.of(ANY);
    return new StepResult.Entry(sampled, new float[0][]);
  }

  private void write(StepBatch.Entry entry) {
    int tokens = decoder.kvLayout().blockTokens();
    int from = entry.position() / tokens;
    int end = Math.ceilDiv(entry.position() + entry.tokens().length, tokens);
    for (; from < end; from += BLOCKS_AT_ONCE) {
      decoder.loadBlocks(
          Arrays.copyOfRange(entry.blocks(), from, Math.min(end, from + BLOCKS_AT_ONCE)), blocks);
    }
  }

  @Override
  public KvLayout kvLayout() {
    return decoder.kvLayout();
  }

  @Override
  public KvFormat kvFormat() {
    return decoder.kvFormat();
  }

  @Override
  public void prepare(int rows) {
    decoder.prepare(rows);
  }

  @Override
  public boolean runsAhead() {
    return decoder.runsAhead();
  }

  @Override
  public int rowsAtOnce() {
    return decoder.rowsAtOnce();
  }

  @Override
  public void releaseBlocks(int[] released) {
    decoder.releaseBlocks(released);
  }

  @Override
  public void moveBlocks(int[] from, int[] to) {
    decoder.moveBlocks(from, to);
  }

  @Override
  public void saveBlocks(int[] saved, MemorySegment target) {
    decoder.saveBlocks(saved, target);
  }

  @Override
  public void loadBlocks(int[] loaded, MemorySegment source) {
    decoder.loadBlocks(loaded, source);
  }

  @Override
  public HostBlocks hostBlocks() {
    return decoder.hostBlocks();
  }

  @Override
  public void close() {
    decoder.close();
    values.close();
  }
}
