package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.sampling.HostSampler;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SamplingParameters;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A decoder whose steps are one native call each. Sampling that is more than taking the largest
/// logit happens here, on the logits.
final class CpuDecoder implements DecoderExecutable {
  private static final float[][] NO_LOGITS = {};
  private static final Logger log = LoggerFactory.getLogger(CpuDecoder.class);

  private final DecoderSpec spec;
  private final CompileOptions options;
  private final KvLayout kvLayout;
  private final DecoderMemory memory;
  private final ScratchSizes scratchSizes;
  private final NativeDecoder decoder;
  private final HostSampler sampler = new HostSampler();
  private final Map<Integer, NativeAdapter> adapters = new ConcurrentHashMap<>();
  private final AtomicInteger lastAdapter = new AtomicInteger();
  private final Arena arena = Arena.ofShared();
  private final StepBuffer step;
  private final TeamSize team;
  private volatile int workers;
  private float[] sampledRow = {};

  CpuDecoder(
      DecoderSpec spec,
      CompileOptions options,
      KvLayout kvLayout,
      DecoderMemory memory,
      NativeDecoder decoder,
      ScratchSizes scratchSizes) {
    this.spec = spec;
    this.options = options;
    this.kvLayout = kvLayout;
    this.memory = memory;
    this.decoder = decoder;
    this.scratchSizes = scratchSizes;
    team = new TeamSize(decoder.threads());
    workers = team.size();
    try {
      step = new StepBuffer(options, kvLayout, arena);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /// Bytes for so many rows of logits, which lie at the end of a step's scratch.
  static long logitsBytes(DecoderSpec spec, int rows) {
    return (long) rows * spec.vocabularySize() * Float.BYTES;
  }

  @Override
  public void prepare(int rows) {
    if (rows > 0) {
      memory.scratch().acquire(scratchSizes.of(rows));
    }
  }

  @Override
  public KvLayout kvLayout() {
    return kvLayout;
  }

  @Override
  public KvFormat kvFormat() {
    return KvLayouts.format(spec, options.kvType(), kvLayout.blockTokens());
  }

  @Override
  public int rowsAtOnce() {
    return decoder.rowsAtOnce();
  }

  @Override
  public int workers() {
    return workers;
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    check(batch);
    StepResult result = run(batch);
    return () -> result;
  }

  private void check(StepBatch batch) {
    int rows = batch.rowCount();
    if (rows > options.maxBatchTokens() || batch.entries().size() > options.maxSequences()) {
      throw new IllegalArgumentException(
          "a step of %d rows and %d sequences; compiled for %d and %d"
              .formatted(
                  rows, batch.entries().size(), options.maxBatchTokens(), options.maxSequences()));
    }
    var bounds =
        new StepBatch.Bounds(
            options.contextLength(), spec.vocabularySize(), blockCount(), kvLayout);
    for (StepBatch.Entry entry : batch.entries()) {
      entry.requireWithin(bounds);
      if (entry.adapter() != StepBatch.Entry.NO_ADAPTER && !adapters.containsKey(entry.adapter())) {
        throw new IllegalArgumentException("there is no adapter " + entry.adapter());
      }
    }
  }

  /// Blocks whose memory is there.
  private int blockCount() {
    int mapped = kvLayout.tiling(memory.kv().chunkBytes()).blocksIn(memory.kv().mappedChunks());
    return Math.min(mapped, options.kvBlockCount());
  }

  private StepResult run(StepBatch batch) {
    long bytes = scratchSizes.of(batch.rowCount());
    long at = memory.scratch().acquire(bytes);
    step.setScratch(at);
    int rows = logitRows(batch);
    long logitBytes = logitsBytes(spec, rows);
    if (rows <= options.maxSequences()) {
      return run(batch, Natives.memory(at + bytes - logitBytes, logitBytes));
    }
    // Scoring whole prompts and checking many drafts ask for more rows than there are sequences.
    try (Arena own = Arena.ofConfined()) {
      return run(batch, own.allocate(logitBytes, Float.BYTES));
    }
  }

  private static int logitRows(StepBatch batch) {
    int rows = 0;
    for (StepBatch.Entry entry : batch.entries()) {
      rows += entry.logitRows();
    }
    return rows;
  }

  private StepResult run(StepBatch batch, MemorySegment out) {
    runStep(step.fill(batch, adapters, out), batch.rowCount());
    var results = new ArrayList<StepResult.Entry>(batch.entries().size());
    int row = 0;
    for (StepBatch.Entry entry : batch.entries()) {
      results.add(result(entry, out, row));
      row += entry.logitRows();
    }
    return new StepResult(results);
  }

  private void runStep(MemorySegment struct, int rows) {
    step.setWorkers(team.choose(rows));
    long start = System.nanoTime();
    decoder.run(struct);
    if (team.took(rows, System.nanoTime() - start)) {
      workers = team.size();
      log.atDebug()
          .addKeyValue("workers", team.size())
          .log("small steps are faster with another number of workers");
    }
  }

  /// @param firstRow where this entry's logits begin
  private StepResult.Entry result(StepBatch.Entry entry, MemorySegment out, int firstRow) {
    int rows = entry.logitRows();
    int before = entry.tokens().length - rows;
    List<SampledToken> sampled =
        entry.sample((row, request) -> sample(request, out, firstRow + row - before));
    return new StepResult.Entry(
        sampled, entry.keepLogits() ? rows(out, firstRow, rows) : NO_LOGITS);
  }

  private SampledToken sample(SampleRequest request, MemorySegment out, int row) {
    long first = (long) row * spec.vocabularySize();
    int largest = step.largest(row);
    if (takesLargest(request) && Float.isFinite(out.getAtIndex(JAVA_FLOAT, first + largest))) {
      return new SampledToken(largest, Float.NaN, List.of());
    }
    // The sampler may overwrite what it is given.
    if (sampledRow.length == 0) {
      sampledRow = new float[spec.vocabularySize()];
    }
    copyRow(out, row, sampledRow);
    return sampler.sample(sampledRow, request);
  }

  private static boolean takesLargest(SampleRequest request) {
    SamplingParameters parameters = request.parameters();
    return parameters.greedy()
        && parameters.topLogprobs() < 0
        && parameters.logitBias().isEmpty()
        && request.blockedTokens().isEmpty()
        && parameters.repetitionPenalty() == 1
        && parameters.frequencyPenalty() == 0
        && parameters.presencePenalty() == 0;
  }

  private float[][] rows(MemorySegment out, int firstRow, int rows) {
    float[][] copies = new float[rows][spec.vocabularySize()];
    for (int row = 0; row < rows; row++) {
      copyRow(out, firstRow + row, copies[row]);
    }
    return copies;
  }

  private void copyRow(MemorySegment out, int row, float[] to) {
    long from = (long) row * spec.vocabularySize() * Float.BYTES;
    MemorySegment.copy(out, JAVA_FLOAT, from, to, 0, spec.vocabularySize());
  }

  @Override
  public void moveBlocks(int[] from, int[] to) {
    if (from.length != to.length) {
      throw new IllegalArgumentException(
          "%d blocks are to move to %d".formatted(from.length, to.length));
    }
    KvLayout.requireWithin(from, blockCount());
    KvLayout.requireWithin(to, blockCount());
    decoder.moveBlocks(from, to);
  }

  @Override
  public void saveBlocks(int[] blocks, MemorySegment target) {
    KvLayout.requireWithin(blocks, blockCount());
    kvLayout.requireRoom(blocks.length, target);
    decoder.saveBlocks(blocks, target, kvLayout.blockBytes());
  }

  @Override
  public void loadBlocks(int[] blocks, MemorySegment source) {
    KvLayout.requireWithin(blocks, blockCount());
    kvLayout.requireRoom(blocks.length, source);
    decoder.loadBlocks(blocks, source, kvLayout.blockBytes());
  }

  /// Packed matrices, and the products of a step's rows with the inner ones.
  @Override
  public long adapterBytes(AdapterWeights adapter) {
    adapter.requireFits(spec);
    return decoder.adapterBytes(adapter, options);
  }

  @Override
  public int addAdapter(AdapterWeights adapter) {
    adapter.requireFits(spec);
    NativeAdapter packed = decoder.packAdapter(spec, adapter);
    int handle = lastAdapter.incrementAndGet();
    adapters.put(handle, packed);
    return handle;
  }

  @Override
  public void removeAdapter(int handle) {
    NativeAdapter adapter = adapters.remove(handle);
    if (adapter == null) {
      throw new IllegalArgumentException("there is no adapter " + handle);
    }
    adapter.close();
  }

  @Override
  public void close() {
    adapters.values().forEach(NativeAdapter::close);
    decoder.close();
    arena.close();
    memory.close();
  }
}
