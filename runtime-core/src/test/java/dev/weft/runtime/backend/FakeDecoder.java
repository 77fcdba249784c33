package dev.weft.runtime.backend;

import dev.weft.runtime.sampling.HostSampler;
import dev.weft.runtime.sampling.SampledToken;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;

/// A decoder whose "model" is a function from a sequence's tokens to logits. Its KV cache holds the
/// tokens themselves, and it reads each sequence back through its block table: a block handed to
/// two sequences, a row computed twice at the wrong place or a table that lost a block gives other
/// tokens, or fails at once.
public final class FakeDecoder implements DecoderExecutable {
  private static final int NOTHING = -1;

  private final int blockTokens;
  private final int[][] cache;
  private final Function<int[], float[]> model;
  private final HostSampler sampler = new HostSampler();
  private volatile Consumer<StepBatch> beforeStep = batch -> {};
  private volatile Runnable onClose = () -> {};
  private volatile boolean closed;
  private volatile int mostRows;
  private final Set<Integer> adapters = ConcurrentHashMap.newKeySet();
  private final AtomicInteger lastAdapter = new AtomicInteger();

  /// @param model logits of the token after the given ones
  public FakeDecoder(int blockCount, int blockTokens, Function<int[], float[]> model) {
    this.blockTokens = blockTokens;
    this.model = model;
    cache = new int[blockCount][blockTokens];
    for (int[] block : cache) {
      Arrays.fill(block, NOTHING);
    }
  }

  /// Called on the device's thread before each step; may block, or throw to fail the step.
  public FakeDecoder beforeStep(Consumer<StepBatch> hook) {
    beforeStep = hook;
    return this;
  }

  /// Called when it is closed.
  public FakeDecoder onClose(Runnable hook) {
    onClose = hook;
    return this;
  }

  public boolean closed() {
    return closed;
  }

  /// Rows of the largest step so far.
  public int mostRows() {
    return mostRows;
  }

  @Override
  public KvLayout kvLayout() {
    return new KvLayout(blockTokens, 4L * blockTokens);
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    if (closed) {
      throw new IllegalStateException("the executable is closed");
    }
    beforeStep.accept(batch);
    checkBlocksAreApart(batch);
    mostRows = Math.max(mostRows, batch.rowCount());
    var results = new ArrayList<StepResult.Entry>();
    for (var entry : batch.entries()) {
      results.add(run(entry));
    }
    return () -> new StepResult(results);
  }

  private static void checkBlocksAreApart(StepBatch batch) {
    Set<Integer> seen = new HashSet<>();
    for (var entry : batch.entries()) {
      for (int block : entry.blocks()) {
        if (!seen.add(block)) {
          throw new AssertionError("two sequences share block " + block);
        }
      }
    }
  }

  private StepResult.Entry run(StepBatch.Entry entry) {
    if (entry.adapter() != StepBatch.Entry.NO_ADAPTER && !adapters.contains(entry.adapter())) {
      throw new IllegalArgumentException("there is no adapter " + entry.adapter());
    }
    List<float[]> logits = new ArrayList<>();
    for (int row = 0; row < entry.tokens().length; row++) {
      int position = entry.position() + row;
      cache[entry.blocks()[position / blockTokens]][position % blockTokens] = entry.tokens()[row];
      boolean last = row == entry.tokens().length - 1;
      if (entry.keepLogits() || (last && entry.sample() != null)) {
        logits.add(model.apply(history(entry.blocks(), position + 1)));
      }
    }
    Optional<SampledToken> sampled = Optional.empty();
    if (entry.sample() != null) {
      sampled = Optional.of(sampler.sample(logits.getLast().clone(), entry.sample()));
    }
    float[][] kept = entry.keepLogits() ? logits.toArray(float[][]::new) : new float[0][];
    return new StepResult.Entry(sampled, kept);
  }

  private int[] history(int[] blocks, int length) {
    int[] tokens = new int[length];
    for (int i = 0; i < length; i++) {
      tokens[i] = cache[blocks[i / blockTokens]][i % blockTokens];
      if (tokens[i] == NOTHING) {
        throw new AssertionError("token %d was never computed".formatted(i));
      }
    }
    return tokens;
  }

  @Override
  public void releaseBlocks(int[] blocks) {
    for (int block : blocks) {
      Arrays.fill(cache[block], NOTHING);
    }
  }

  @Override
  public long adapterBytes(AdapterWeights adapter) {
    return adapter.byteSize();
  }

  @Override
  public int addAdapter(AdapterWeights adapter) {
    int handle = lastAdapter.incrementAndGet();
    adapters.add(handle);
    return handle;
  }

  @Override
  public void removeAdapter(int handle) {
    if (!adapters.remove(handle)) {
      throw new IllegalArgumentException("there is no adapter " + handle);
    }
  }

  @Override
  public void close() {
    closed = true;
    onClose.run();
  }
}
