package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Arrival;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.HostBlocks;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.memory.PinnedSlabs;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A decoder on a GPU. A step is submitted as a whole; the host waits for it once, in
/// [PendingStep#await]. Tokens are chosen on the device, where the next step finds them, and
/// nothing else comes back where nothing else is asked for.
final class GpuDecoder implements DecoderExecutable {
  /// Steps of up to so many rows are kept as graphs.
  private static final int GRAPH_ROWS = 256;

  private final DecoderSpec spec;
  private final CompileOptions options;
  private final GpuDevice device;
  private final GpuWeights weights;
  private final GpuKvLayout kv;
  private final AttentionWork attention;
  private final DecoderMemory memory;
  private final Arena arena = Arena.ofShared();
  private final StepTables tables;
  private final StepOutputs outputs;
  private final GpuAdapters adapters;
  private final DecoderKernels kernels;
  private final StepGraphs graphs;
  private final GpuHostBlocks hostBlocks;

  /// Steps whose results nobody has asked for yet, the first one first.
  private final Deque<Pending> pending = new ArrayDeque<>();

  /// Entries of the last step whose tokens the next one may name.
  private int followed;

  /// Takes weights and memory over when it returns.
  GpuDecoder(
      DecoderSpec spec,
      CompileOptions options,
      GpuDevice device,
      GpuWeights weights,
      GpuKvLayout kv,
      AttentionWork attention,
      DecoderMemory memory,
      WeightLoader loader,
      PinnedSlabs slabs) {
    this.spec = spec;
    this.attention = attention;
    this.options = options;
    this.device = device;
    this.weights = weights;
    this.kv = kv;
    this.memory = memory;
    CudaContext context = device.context();
    try {
      tables = new StepTables(context, options, kv, memory.kv().address(), attention.tileTokens());
      try {
        outputs = new StepOutputs(device, spec, options, arena);
        try {
          kernels =
              new DecoderKernels(
                  spec, device, weights, kv, attention, tables, outputs.chosen(), arena);
        } catch (RuntimeException | Error e) {
          outputs.close();
          throw e;
        }
      } catch (RuntimeException | Error e) {
        tables.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
    adapters = new GpuAdapters(spec, options, device, loader);
    graphs = new StepGraphs(device.stream());
    hostBlocks =
        new GpuHostBlocks(
            device, slabs, kv.layout().blockBytes(), options.kvBlockCount(), tables::address);
  }

  @Override
  public KvLayout kvLayout() {
    return kv.layout();
  }

  @Override
  public KvFormat kvFormat() {
    return kv.format(spec);
  }

  @Override
  public Arrival arrival() {
    return weights.arrival();
  }

  @Override
  public boolean runsAhead() {
    return true;
  }

  @Override
  public void prepare(int rows) {
    if (rows > 0) {
      device.context().bind();
      memory.scratch().acquire(scratchBytes(attention, options, rows));
    }
  }

  /// What a step of so many rows takes, or of a few more, so that a row more seldom needs more.
  static long scratchBytes(AttentionWork attention, CompileOptions options, int rows) {
    DecoderSpec spec = attention.spec();
    int most = ScratchLayout.roundedRows(rows, options.maxBatchTokens());
    // Of fewer rows, more sums may be kept.
    int sliced = Math.min(most, InputSlices.MOST_ROWS);
    return Math.max(fixedBytes(spec, options, sliced), fixedBytes(spec, options, most))
        + attention.mostPartialBytes(most, options.contextLength());
  }

  private static long fixedBytes(DecoderSpec spec, CompileOptions options, int rows) {
    int logitRows = Math.min(rows, options.maxSequences());
    return new ScratchLayout(spec, rows, logitRows, AttentionWork.Singles.NONE).byteSize();
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    check(batch);
    return guarded(() -> submit(batch));
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
            options.contextLength(), spec.vocabularySize(), blockCount(), kv.layout(), followed);
    for (StepBatch.Entry entry : batch.entries()) {
      entry.requireWithin(bounds);
      adapters.requireKnown(entry);
    }
  }

  /// Blocks whose memory is there.
  private int blockCount() {
    int mapped = kv.layout().tiling(memory.kv().chunkBytes()).blocksIn(memory.kv().mappedChunks());
    return Math.min(mapped, options.kvBlockCount());
  }

  private PendingStep submit(StepBatch batch) {
    device.context().bind();
    finish(batch.follows() ? 1 : 0);
    followed = 0;
    if (batch.entries().isEmpty()) {
      return () -> new StepResult(List.of());
    }
    long at = memory.scratch().acquire(scratchBytes(attention, options, batch.rowCount()));
    CudaStream stream = device.stream();
    hostBlocks.awaitCopies(batch);
    tables.fill(batch);
    int runs = adapters.fill(batch, tables.runsOnHost());
    tables.copy(stream, GpuAdapters.runBytes(runs));
    int rows = tables.rowCount();
    var scratch =
        new ScratchLayout(
            spec,
            rows,
            tables.logitRowCount(),
            attention.singles(tables.singleCount(), tables.longest()));
    StepAnswers answers = outputs.begin();
    long logits = scratch.logitRows() > 0 ? outputs.place(scratch, at) : 0;
    Runnable work =
        () -> {
          kernels.layers(scratch, at, runs);
          if (scratch.logitRows() > 0) {
            kernels.logits(scratch, at, logits);
          }
        };
    boolean fits = scratch.logitRows() <= options.maxSequences();
    // What is captured cannot wait for copies that are not.
    if (weights.whole() && rows <= GRAPH_ROWS && tables.tileCount() == 0 && fits) {
      graphs.launch(new StepGraphs.Shape(scratch, runs, at, logits), work);
    } else {
      work.run();
    }
    if (scratch.logitRows() > 0) {
      outputs.copy(batch, scratch.logitRows(), logits);
    }
    answers.end().record(stream);
    followed = batch.followed();
    var submitted = new Pending(batch, answers);
    pending.add(submitted);
    return submitted;
  }

  /// A step under way: its result is taken when it is asked for, or when one is submitted that
  /// writes where this one's lies.
  private final class Pending implements PendingStep {
    private final StepBatch batch;
    private final StepAnswers answers;
    private @Nullable StepResult result;

    Pending(StepBatch batch, StepAnswers answers) {
      this.batch = batch;
      this.answers = answers;
    }

    @Override
    public StepResult await() {
      StepResult known = result;
      if (known == null) {
        known = guarded(this::take);
        result = known;
      }
      return known;
    }

    private StepResult take() {
      device.context().bind();
      pending.remove(this);
      answers.end().await();
      return outputs.result(batch, answers);
    }
  }

  /// Takes the results of steps under way until so many are left.
  private void finish(int left) {
    while (pending.size() > left) {
      var _ = pending.getFirst().await();
    }
  }

  private <T> T guarded(Supplier<T> work) {
    try {
      return device.watched(work);
    } catch (CudaException e) {
      pending.clear();
      throw e;
    }
  }

  /// Its matrices, and the products of a step's rows with the inner ones.
  @Override
  public long adapterBytes(AdapterWeights adapter) {
    return adapters.bytes(adapter);
  }

  @Override
  public int addAdapter(AdapterWeights adapter) {
    return device.watched(() -> adapters.add(adapter));
  }

  @Override
  public void removeAdapter(int handle) {
    guarded(() -> {
      adapters.remove(handle);
      return true;
    });
  }

  @Override
  public void moveBlocks(int[] from, int[] to) {
    if (from.length != to.length) {
      throw new IllegalArgumentException(
          "%d blocks are to move to %d".formatted(from.length, to.length));
    }
    KvLayout.requireWithin(from, blockCount());
    KvLayout.requireWithin(to, blockCount());
    guarded(() -> {
      device.context().bind();
      hostBlocks.awaitCopies(from);
      hostBlocks.awaitCopies(to);
      for (int i = 0; i < from.length; i++) {
        device.stream()
            .copyOnDevice(tables.address(from[i]), tables.address(to[i]), kv.layout().blockBytes());
      }
      return true;
    });
  }

  @Override
  public void saveBlocks(int[] blocks, MemorySegment target) {
    KvLayout.requireWithin(blocks, blockCount());
    kv.layout().requireRoom(blocks.length, target);
    guarded(() -> {
      device.context().bind();
      hostBlocks.awaitCopies(blocks);
      for (int i = 0; i < blocks.length; i++) {
        device.stream().copyToHost(tables.address(blocks[i]), saved(target, i));
      }
      device.stream().synchronize();
      return true;
    });
  }

  @Override
  public void loadBlocks(int[] blocks, MemorySegment source) {
    KvLayout.requireWithin(blocks, blockCount());
    kv.layout().requireRoom(blocks.length, source);
    guarded(() -> {
      device.context().bind();
      hostBlocks.awaitCopies(blocks);
      for (int i = 0; i < blocks.length; i++) {
        device.stream().copyToDevice(saved(source, i), tables.address(blocks[i]));
      }
      device.stream().synchronize();
      return true;
    });
  }

  private MemorySegment saved(MemorySegment all, int index) {
    return all.asSlice(index * kv.layout().blockBytes(), kv.layout().blockBytes());
  }

  @Override
  public HostBlocks hostBlocks() {
    return hostBlocks;
  }

  @Override
  public void close() {
    device.context().bind();
    device.stream().synchronize();
    hostBlocks.close();
    graphs.close();
    adapters.close();
    outputs.close();
    tables.close();
    weights.close();
    memory.close();
    arena.close();
  }
}
