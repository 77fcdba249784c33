package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.memory.BlockTable;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampleRequest.TokenHistory;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.scheduling.KvBlocks;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Measures a decoder's steps while its device idles: prompts by length, decode steps by batch and
/// context, each as the median of a few runs, over blocks that are lent for the moment and hold
/// zeros. A request that comes meanwhile waits for the run under way, so no run is begun that is
/// expected to take long. Of a prompt that would, or that has more rows than a step, its last piece
/// is measured, with as many rows as the longest that was measured whole: pieces take longer in
/// proportion to what comes before them, so the first and the last say what all of them take. What
/// else would take long is left out; so is what there is no memory for, once the smallest are
/// known. On the device's thread.
final class StepProbe {
  private static final Logger log = LoggerFactory.getLogger(StepProbe.class);

  private static final Duration QUIET = Duration.ofMillis(500);

  /// No run that is expected to take longer.
  private static final long LONGEST_NANOS = Duration.ofMillis(150).toNanos();

  /// Runs go on for so long before the loop comes round again.
  private static final long TURN_NANOS = Duration.ofMillis(20).toNanos();

  private static final int RUNS = 3;
  private static final List<Integer> PROMPTS = List.of(16, 64, 256, 1_024);
  private static final List<Integer> BATCHES = List.of(1, 4, 16, 64);
  private static final List<Integer> CONTEXTS = List.of(64, 512, 2_048);

  private final RevisionId revision;
  private final DecoderExecutable executable;
  private final KvBlocks blocks;
  private final IntConsumer makeFree;
  private final LongSupplier clock;
  private final Engine.DecoderOptions options;
  private final Deque<Point> left = new ArrayDeque<>();
  private final List<PrefillTime> prefill = new ArrayList<>();
  private final List<DecodeRow> decode = new ArrayList<>();
  private final List<DecodeTime> row = new ArrayList<>();
  private final List<Long> runs = new ArrayList<>();
  private long usedAt;
  private boolean failed;
  private boolean warm;

  /// The longest prompt that was measured whole.
  private @Nullable PrefillTime whole;

  /// The last piece of a longer one.
  private double pieceMillis;

  /// What is measured: a prompt of `tokens`, or what is left of it from token `from` on; or a
  /// decode step of `batch` sequences, each of which has about `tokens` already: whole blocks of
  /// them.
  private record Point(boolean prompt, int batch, int tokens, int from) {
    int rows() {
      return prompt ? tokens - from : batch;
    }

    Point lastPiece(int rows) {
      return new Point(true, 1, tokens, tokens - rows);
    }

    boolean piece() {
      return from > 0;
    }
  }

  /// @param makeFree asked to have so many blocks free; may fail to
  StepProbe(
      RevisionId revision,
      DecoderExecutable executable,
      KvBlocks blocks,
      IntConsumer makeFree,
      LongSupplier clock,
      Engine.DecoderOptions options) {
    this.revision = revision;
    this.executable = executable;
    this.blocks = blocks;
    this.makeFree = makeFree;
    this.clock = clock;
    this.options = options;
    usedAt = clock.getAsLong();
    points();
  }

  private void points() {
    int longest = Math.min(options.maxBatchTokens(), options.contextLength() - 1);
    upTo(longest, PROMPTS).forEach(tokens -> left.add(new Point(true, 1, tokens, 0)));
    upTo(options.contextLength() - 1, PROMPTS).stream()
        .filter(tokens -> tokens > longest)
        .forEach(tokens -> left.add(new Point(true, 1, tokens, 0)));
    for (int context : upTo(options.contextLength() - 1, CONTEXTS)) {
      upTo(options.maxSequences(), BATCHES)
          .forEach(batch -> left.add(new Point(false, batch, context, 0)));
    }
  }

  /// Those below `most`, and `most`.
  private static List<Integer> upTo(int most, List<Integer> values) {
    List<Integer> chosen = new ArrayList<>(values.stream().filter(each -> each < most).toList());
    if (chosen.size() < values.size()) {
      chosen.add(most);
    }
    return chosen;
  }

  /// Says that the decoder was used.
  void used() {
    usedAt = clock.getAsLong();
  }

  /// Goes on measuring, if there is something left to measure and it has been quiet for a while;
  /// tells the profile at the end. What cannot be measured is not known: decisions go without it,
  /// and the decoder goes on.
  void idle() {
    long begin = clock.getAsLong();
    if (!options.profile().missing() || failed || begin - usedAt < QUIET.toNanos()) {
      return;
    }
    try {
      measure(begin).ifPresent(options.profile()::measured);
    } catch (RuntimeException | Error e) {
      failed = true;
      log.atWarn()
          .setCause(e)
          .addKeyValue("revision", revision)
          .log("how long steps take could not be measured");
    }
  }

  private Optional<PerformanceTable> measure(long begin) {
    if (!warm && run(left.getFirst()).isPresent()) {
      // The first step touches what no later one has to.
      warm = true;
    }
    while (!left.isEmpty()) {
      Point point = left.getFirst();
      if (point.rows() > options.maxBatchTokens() || expectedNanos(point) > LONGEST_NANOS) {
        PrefillTime first = whole;
        if (point.prompt() && !point.piece() && first != null) {
          left.removeFirst();
          left.addFirst(point.lastPiece(first.tokens()));
        } else {
          leaveOut(point);
        }
        continue;
      }
      Optional<Long> took = run(point);
      if (took.isEmpty()) {
        if (!known(point.prompt())) {
          // Later, when others have gone, there may be memory.
          return Optional.empty();
        }
        leaveOut(point);
        continue;
      }
      took(point, took.get());
      if (clock.getAsLong() - begin >= TURN_NANOS) {
        return Optional.empty();
      }
    }
    return Optional.of(new PerformanceTable(prefill, decode));
  }

  /// In proportion to the last one that was smaller, which is more than it will take; 0 for the
  /// smallest.
  private double expectedNanos(Point point) {
    if (point.piece()) {
      return pieceMillis * 1e6;
    }
    if (point.prompt() && !prefill.isEmpty()) {
      PrefillTime last = prefill.getLast();
      return last.millis() * 1e6 * point.tokens() / last.tokens();
    }
    if (!point.prompt() && !row.isEmpty()) {
      DecodeTime last = row.getLast();
      return last.millis() * 1e6 * point.batch() / last.batch();
    }
    return 0;
  }

  /// Whether something is known of prompts, or of decode steps.
  private boolean known(boolean prompt) {
    return prompt ? !prefill.isEmpty() : !decode.isEmpty() || !row.isEmpty();
  }

  /// Those after it in its row would take more still.
  private void leaveOut(Point first) {
    runs.clear();
    left.removeIf(point ->
        point.prompt() == first.prompt() && (point.prompt() || point.tokens() == first.tokens()));
    if (!first.prompt()) {
      endRow(first.tokens());
    }
  }

  private void took(Point point, long nanos) {
    runs.add(Math.max(1, nanos));
    if (runs.size() < RUNS) {
      return;
    }
    double millis = runs.stream().sorted().toList().get(RUNS / 2) / 1e6;
    runs.clear();
    left.removeFirst();
    if (point.prompt()) {
      prefill.add(new PrefillTime(point.tokens(), tookPrompt(point, millis)));
      return;
    }
    row.add(new DecodeTime(point.batch(), millis));
    Point next = left.peekFirst();
    if (next == null || next.tokens() != point.tokens()) {
      endRow(point.tokens());
    }
  }

  /// What the whole prompt takes.
  private double tookPrompt(Point point, double millis) {
    PrefillTime first = whole;
    pieceMillis = millis;
    if (!point.piece() || first == null) {
      whole = new PrefillTime(point.tokens(), millis);
      return millis;
    }
    return (double) point.tokens() / first.tokens() * (first.millis() + millis) / 2;
  }

  private void endRow(int context) {
    if (!row.isEmpty()) {
      decode.add(new DecodeRow(context, row));
      row.clear();
    }
  }

  /// Runs a step for its time; empty when there are too few blocks for it.
  private Optional<Long> run(Point point) {
    int blockTokens = executable.kvLayout().blockTokens();
    int shared = point.prompt() ? 0 : point.tokens() / blockTokens;
    int own = point.prompt() ? Math.ceilDiv(point.tokens(), blockTokens) : point.batch();
    makeFree.accept(shared + own);
    Optional<BlockTable> lent = blocks.tryLend(shared + own);
    if (lent.isEmpty()) {
      return Optional.empty();
    }
    try (Arena scratch = Arena.ofConfined()) {
      executable.prepare(point.rows());
      int[] all = lent.get().toArray();
      MemorySegment zeros = scratch.allocate(executable.kvLayout().blockBytes());
      for (int block : all) {
        executable.loadBlocks(new int[] {block}, zeros);
      }
      StepBatch batch = new StepBatch(entries(point, all, shared));
      long start = clock.getAsLong();
      var _ = executable.forward(batch).await();
      return Optional.of(clock.getAsLong() - start);
    } finally {
      blocks.takeBack(lent.get());
    }
  }

  /// Sequences of a decode step read the same blocks, and each writes to one of its own.
  private List<StepBatch.Entry> entries(Point point, int[] all, int shared) {
    if (point.prompt()) {
      return List.of(entry(new int[point.rows()], point.from(), all));
    }
    int position = shared * executable.kvLayout().blockTokens();
    List<StepBatch.Entry> entries = new ArrayList<>();
    for (int i = 0; i < point.batch(); i++) {
      int[] table = Arrays.copyOf(all, shared + 1);
      table[shared] = all[shared + i];
      entries.add(entry(new int[1], position, table));
    }
    return entries;
  }

  private static StepBatch.Entry entry(int[] tokens, int position, int[] table) {
    int length = position + tokens.length;
    var sample = new SampleRequest(SamplingParameters.GREEDY, length, new Zeros(length), Set.of());
    return new StepBatch.Entry(
        tokens, position, table, List.of(sample), false, StepBatch.Entry.NO_ADAPTER);
  }

  /// A text of the first token of the vocabulary alone.
  private record Zeros(int length) implements TokenHistory {
    @Override
    public int promptLength() {
      return length;
    }

    @Override
    public int token(int index) {
      return 0;
    }
  }
}
