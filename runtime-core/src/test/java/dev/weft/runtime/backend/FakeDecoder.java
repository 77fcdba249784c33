package dev.weft.runtime.backend;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.sampling.HostSampler;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;

/// A decoder whose "model" is a function from a sequence's tokens to logits. Its KV cache holds the
/// tokens themselves, and it reads each sequence back through its block table: a block handed to
/// two sequences, a row computed twice at the wrong place or a table that lost a block gives other
/// tokens, or fails at once.
///
/// One that [runs ahead][#runningAhead] has its steps wait until somebody waits for them, or wants
/// anything done behind them.
public final class FakeDecoder implements DecoderExecutable {
  private static final int NOTHING = -1;

  private final int blockTokens;
  private final int[][] cache;
  private final Function<int[], float[]> model;
  private final HostSampler sampler = new HostSampler();
  private volatile Consumer<StepBatch> beforeStep = batch -> {};
  private volatile Runnable onClose = () -> {};
  private volatile Arrival arrival = Arrival.DONE;
  private volatile boolean closed;
  private volatile int mostRows;
  private final Set<Integer> adapters = ConcurrentHashMap.newKeySet();
  private final AtomicInteger lastAdapter = new AtomicInteger();
  private final Deque<FutureTask<StepResult>> underWay = new ArrayDeque<>();
  private final AtomicInteger stepsAhead = new AtomicInteger();
  private boolean runsAhead;

  /// What the last step that ran chose; none where it failed.
  private List<Integer> lastChosen = List.of();

  /// Entries of the last step that was submitted whose tokens the next one may name.
  private int followed;

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

  /// Says how its weights come.
  public FakeDecoder arriving(Arrival weights) {
    arrival = weights;
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

  /// Keys and values are the same number: the token.
  @Override
  public KvFormat kvFormat() {
    var tokens = new KvFormat.Half(new KvFormat.Place(0, 0, 0, Float.BYTES, Float.BYTES));
    return new KvFormat(KvElement.F32, 1, 1, 1, tokens, tokens);
  }

  @Override
  public Arrival arrival() {
    return arrival;
  }

  /// Lets steps be submitted ahead.
  public FakeDecoder runningAhead() {
    runsAhead = true;
    return this;
  }

  /// Steps so far that were submitted before the tokens of their rows were known.
  public int stepsAhead() {
    return stepsAhead.get();
  }

  @Override
  public boolean runsAhead() {
    return runsAhead;
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    if (closed) {
      throw new IllegalStateException("the executable is closed");
    }
    var bounds =
        new StepBatch.Bounds(
            Integer.MAX_VALUE, Integer.MAX_VALUE, cache.length, kvLayout(), followed);
    batch.entries().forEach(entry -> entry.requireWithin(bounds));
    if (underWay.size() > (batch.follows() ? 1 : 0)) {
      throw new AssertionError("%d steps are under way".formatted(underWay.size()));
    }
    checkBlocksAreApart(batch);
    mostRows = Math.max(mostRows, batch.rowCount());
    followed = batch.followed();
    if (!runsAhead) {
      StepResult result = run(batch);
      return () -> result;
    }
    if (batch.follows()) {
      stepsAhead.incrementAndGet();
    }
    var step = new FutureTask<>(() -> run(known(batch)));
    underWay.add(step);
    return () -> await(step);
  }

  private StepResult await(FutureTask<StepResult> step) {
    for (FutureTask<StepResult> each : underWay) {
      each.run();
      if (each.equals(step)) {
        break;
      }
    }
    underWay.remove(step);
    try {
      return step.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new AssertionError(e.getCause());
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /// Has all happen that was submitted.
  private void finish() {
    underWay.forEach(FutureTask::run);
  }

  /// The batch with the tokens that the step before has chosen; any where that one failed.
  private StepBatch known(StepBatch batch) {
    return new StepBatch(batch.entries().stream().map(this::known).toList());
  }

  private StepBatch.Entry known(StepBatch.Entry entry) {
    int token = entry.tokens()[0];
    if (token >= 0) {
      return entry;
    }
    int chosen = lastChosen.isEmpty() ? 0 : lastChosen.get(~token);
    return new StepBatch.Entry(
        new int[] {chosen},
        entry.position(),
        entry.blocks(),
        entry.samples(),
        entry.keepLogits(),
        entry.adapter());
  }

  private StepResult run(StepBatch batch) {
    lastChosen = List.of();
    beforeStep.accept(batch);
    var results = new ArrayList<StepResult.Entry>();
    for (var entry : batch.entries()) {
      results.add(run(entry));
    }
    if (batch.followed() > 0) {
      lastChosen = results.stream().map(each -> each.sampled().getFirst().token()).toList();
    }
    return new StepResult(results);
  }

  /// What one sequence writes, no other may even read.
  private void checkBlocksAreApart(StepBatch batch) {
    Map<Integer, Integer> holders = new HashMap<>();
    for (var entry : batch.entries()) {
      Arrays.stream(entry.blocks()).distinct().forEach(b -> holders.merge(b, 1, Integer::sum));
    }
    for (var entry : batch.entries()) {
      int end = entry.position() + entry.tokens().length;
      for (int i = entry.position() / blockTokens; i * blockTokens < end; i++) {
        if (holders.getOrDefault(entry.blocks()[i], 0) > 1) {
          throw new AssertionError("two sequences share block " + entry.blocks()[i]);
        }
      }
    }
  }

  private StepResult.Entry run(StepBatch.Entry entry) {
    if (entry.adapter() != StepBatch.Entry.NO_ADAPTER && !adapters.contains(entry.adapter())) {
      throw new IllegalArgumentException("there is no adapter " + entry.adapter());
    }
    int rows = entry.tokens().length;
    float[][] logits = new float[entry.logitRows()][];
    int before = rows - logits.length;
    for (int row = 0; row < rows; row++) {
      int position = entry.position() + row;
      cache[entry.blocks()[position / blockTokens]][position % blockTokens] = entry.tokens()[row];
      if (row >= before) {
        logits[row - before] = model.apply(history(entry.blocks(), position + 1));
      }
    }
    var sampled =
        entry.sample((row, request) -> sampler.sample(logits[row - before].clone(), request));
    return new StepResult.Entry(sampled, entry.keepLogits() ? logits : new float[0][]);
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
    finish();
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
    finish();
    if (!adapters.remove(handle)) {
      throw new IllegalArgumentException("there is no adapter " + handle);
    }
  }

  @Override
  public void moveBlocks(int[] from, int[] to) {
    finish();
    for (int i = 0; i < from.length; i++) {
      cache[to[i]] = cache[from[i]].clone();
      Arrays.fill(cache[from[i]], NOTHING);
    }
  }

  @Override
  public void saveBlocks(int[] blocks, MemorySegment target) {
    finish();
    for (int i = 0; i < blocks.length; i++) {
      MemorySegment.copy(
          cache[blocks[i]], 0, target, JAVA_INT_UNALIGNED, 4L * blockTokens * i, blockTokens);
    }
  }

  @Override
  public void loadBlocks(int[] blocks, MemorySegment source) {
    finish();
    for (int i = 0; i < blocks.length; i++) {
      MemorySegment.copy(
          source, JAVA_INT_UNALIGNED, 4L * blockTokens * i, cache[blocks[i]], 0, blockTokens);
    }
  }

  @Override
  public void close() {
    if (!underWay.isEmpty()) {
      throw new AssertionError("%d steps are under way".formatted(underWay.size()));
    }
    closed = true;
    onClose.run();
  }
}
