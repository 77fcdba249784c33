package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.EngineObserver.Outcome;
import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.scheduling.KvBlocks;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.scheduling.StepBudget;
import dev.weft.runtime.scheduling.StepPlan.Part;
import dev.weft.runtime.scheduling.StepPlanner;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A decoder at work: plans a step, has it run, and tells each listener what it brought.
final class DecoderLoop implements Engine.DecoderInstance, Work, StepRunner.Requests {
  private static final Logger log = LoggerFactory.getLogger(DecoderLoop.class);

  /// A turn that can do nothing before saved blocks have been read waits for that so long.
  private static final Duration LONGEST_WAIT = Duration.ofMillis(2);

  private final RevisionId revision;
  private final DecoderExecutable executable;
  private final Tokenizer tokenizer;
  private final DecoderOptions options;
  private final EngineObserver observer;
  private final DeviceThread device;
  private final KvBlocks blocks;
  private final StepPlanner planner;
  private final PrefillPace pace;
  private final SwapStore swap;
  private final StepRunner runner;
  private final CacheReport report;
  private final LatencyWatch latency;
  private final Deadlines deadlines;
  private final StepProbe probe;
  private final InTime inTime;

  /// All that have not ended, in order of arrival.
  private final Map<Sequence, Generation> generations = new LinkedHashMap<>();

  /// To the model as it is.
  private final Entrance plain;

  private final Map<Integer, Entrance> adapted = new ConcurrentHashMap<>();

  private @Nullable ElasticKv elastic;
  private volatile Engine.Load load;
  private volatile boolean closing;
  private boolean closed;

  DecoderLoop(
      RevisionId revision,
      DecoderExecutable executable,
      Tokenizer tokenizer,
      DecoderOptions options,
      DeviceLoop.Settings settings,
      SwapSpace space,
      EngineObserver observer,
      DeviceThread device,
      BlockSupply supply) {
    this.revision = revision;
    this.executable = executable;
    this.tokenizer = tokenizer;
    this.options = options;
    this.observer = observer;
    this.device = device;
    pace = new PrefillPace(options.maxBatchTokens());
    report = new CacheReport(revision, observer);
    latency = new LatencyWatch(options.serviceLevel());
    deadlines = new Deadlines(options.serviceLevel());

    swap = new SwapStore(executable, space, pace::nanos, report, device::nanoTime);
    blocks =
        new KvBlocks(
            executable.kvLayout().blockTokens(),
            new BlockPool(options.kvBlockCount()),
            supply,
            swap,
            this::release);
    planner =
        new StepPlanner(
            new StepPlanner.Settings(
                options.maxBatchTokens(),
                options.maxSequences(),
                settings.growthTokens(),
                settings.maxScoredRows()),
            blocks);
    plain = entrance(revision, StepBatch.Entry.NO_ADAPTER, options.maxWaiting());
    runner = new StepRunner(revision, executable, observer, device, pace, options.profile(), this);
    probe = new StepProbe(revision, executable, blocks, this::makeFree, device::nanoTime, options);
    inTime =
        new InTime(
            this,
            deadlines,
            new InTime.Kv(blocks, executable.kvLayout(), supply),
            observer,
            device);
    load = measure();
  }

  /// Makes this a tenant of the device's memory. Called before the first turn.
  void share(KvShare share) {
    elastic = new ElasticKv(share, blocks, planner, executable);
    share.attach(elastic);
  }

  @Override
  public RevisionId revision() {
    return revision;
  }

  @Override
  public Engine.Load load() {
    Engine.Load last = load;
    int outstanding =
        plain.outstanding() + adapted.values().stream().mapToInt(Entrance::outstanding).sum();
    int waiting = Math.max(0, outstanding - last.running());
    return new Engine.Load(
        last.running(),
        waiting,
        last.blocksPlanned(),
        last.blocksActual(),
        last.blockCapacity(),
        last.tokensPerBlock());
  }

  @Override
  public Submission submit(GenerationRequest request, GenerationListener listener) {
    return submit(plain, request, listener);
  }

  @Override
  public Submission submitInTime(GenerationRequest request, GenerationListener listener) {
    return submitInTime(plain, request, listener);
  }

  Submission submit(Entrance entrance, GenerationRequest request, GenerationListener listener) {
    return submit(
        entrance,
        request,
        listener,
        generation ->
            device.offer(() -> accept(generation))
                ? Optional.empty()
                : Optional.of(closing ? rejectedClosing() : rejectedFull()));
  }

  Submission submitInTime(
      Entrance entrance, GenerationRequest request, GenerationListener listener) {
    return submit(
        entrance,
        request,
        listener,
        generation -> {
          var refused = new AtomicReference<Optional<Submission.Rejected>>(Optional.empty());
          boolean asked =
              device.call(() -> {
                refused.set(inTime.refusal(generation));
                if (refused.get().isEmpty()) {
                  accept(generation);
                }
              });
          return asked ? refused.get() : Optional.of(rejectedClosing());
        });
  }

  /// Hands an admitted generation over; says why when that was not possible.
  private interface HandOver {
    Optional<Submission.Rejected> to(Generation generation);
  }

  private Submission submit(
      Entrance entrance,
      GenerationRequest request,
      GenerationListener listener,
      HandOver handOver) {
    checkTokens(request.promptTokens());
    checkTokens(request.generated());
    long length = (long) request.promptTokens().length + request.maxTokens();
    if (length > options.contextLength()) {
      return new Submission.Rejected(
          Submission.Rejected.Code.CONTEXT_LENGTH,
          "the prompt has %d tokens and %d more are asked for; the context holds %d"
              .formatted(
                  request.promptTokens().length, request.maxTokens(), options.contextLength()));
    }
    if (!planner.canEverFit((int) length)) {
      return new Submission.Rejected(
          Submission.Rejected.Code.NEVER_FITS,
          "%d tokens do not fit into the KV memory of %d blocks of %d tokens"
              .formatted(length, blocks.capacity(), executable.kvLayout().blockTokens()));
    }
    if (closing || entrance.closed()) {
      return rejectedClosing();
    }
    var generation = new Generation(entrance, request, listener, tokenizer, device.nanoTime());
    if (generation.overrun()) {
      return new Submission.Rejected(
          Submission.Rejected.Code.OVERRUN, "tokens were generated after the end");
    }
    if (!entrance.tryEnter()) {
      return rejectedFull();
    }
    Optional<Submission.Rejected> refused = handOver.to(generation);
    if (refused.isPresent()) {
      generation.leave();
      return refused.get();
    }
    return generation;
  }

  private void checkTokens(int[] tokens) {
    for (int token : tokens) {
      if (token < 0 || token >= tokenizer.vocabularySize()) {
        throw new IllegalArgumentException(
            "token %d is outside the vocabulary of %d"
                .formatted(token, tokenizer.vocabularySize()));
      }
    }
  }

  private static Submission.Rejected rejectedClosing() {
    return new Submission.Rejected(
        Submission.Rejected.Code.CLOSING, "the instance is being unloaded");
  }

  private Submission.Rejected rejectedFull() {
    return new Submission.Rejected(
        Submission.Rejected.Code.QUEUE_FULL,
        "%d requests run and %d wait already"
            .formatted(options.maxSequences(), options.maxWaiting()));
  }

  @Override
  public void close() {
    closing = true;
    device.call(this::end);
  }

  @Override
  public long adapterBytes(AdapterWeights adapter) {
    return executable.adapterBytes(adapter);
  }

  @Override
  public Engine.DecoderInstance adapt(RevisionId of, AdapterWeights adapter, int maxWaiting) {
    int handle = executable.addAdapter(adapter);
    Entrance entrance = entrance(of, handle, maxWaiting);
    adapted.put(handle, entrance);
    return new AdaptedDecoder(this, entrance);
  }

  private Entrance entrance(RevisionId of, int adapter, int maxWaiting) {
    return new Entrance(of, adapter, options.maxSequences() + maxWaiting);
  }

  /// Ends what came in by an adapter's entrance, and frees the adapter. Does nothing the second
  /// time.
  void close(Entrance entrance) {
    entrance.close();
    device.call(() -> {
      if (adapted.remove(entrance.adapter()) == null || closed) {
        return;
      }
      endAll(generation -> generation.entrance() == entrance);
      executable.removeAdapter(entrance.adapter());
    });
  }

  private void endAll(Predicate<Generation> which) {
    generations.values().stream()
        .filter(which)
        .toList()
        .forEach(each -> end(each, Outcome.UNLOADED, "the instance was unloaded"));
  }

  private void accept(Generation generation) {
    generations.put(generation.sequence(), generation);
    if (closed || generation.entrance().closed()) {
      end(generation, Outcome.UNLOADED, "the instance was unloaded");
      return;
    }
    if (generation.endedBefore().isPresent()) {
      end(generation, generation.endedBefore().get(), "");
      return;
    }
    planner.add(generation.sequence());
  }

  @Override
  public boolean hasWork() {
    return !planner.idle();
  }

  @Override
  public long due() {
    long due = Long.MAX_VALUE;
    for (Generation generation : generations.values()) {
      due = Math.min(due, deadlines.due(generation));
    }
    return due;
  }

  @Override
  public int quota() {
    return deadlines.quota(options.profile().times(), planner.runningCount());
  }

  @Override
  public Optional<Demand> demand() {
    return options.profile().times().map(times -> inTime.demand(times, generations.values()));
  }

  @Override
  public void idle() {
    if (elastic != null) {
      elastic.idle(device.nanoTime());
    }
    probe.idle();
  }

  private void makeFree(int count) {
    if (elastic != null) {
      elastic.makeFree(count);
    }
  }

  @Override
  public void turn() {
    probe.used();
    endCancelledAndOverdue();
    generations.values().forEach(Generation::draft);
    StepBudget budget = pace.next(planner.decoding() || device.othersHaveWork(this));
    executable.prepare(planner.mostRows(budget));
    if (elastic != null) {
      elastic.getAhead(device.nanoTime());
    }
    var plan = planner.plan(budget);
    plan.preempted().forEach(_ -> observer.onPreempted(revision));
    report.tell(blocks);
    long now = device.nanoTime();
    plan.parts().forEach(part -> of(part.sequence()).markStarted(now));
    load = measure();
    swap.poll();
    planner.swapAhead();
    if (!plan.parts().isEmpty()) {
      step(plan.parts());
    } else if (!device.othersHaveWork(this)) {
      swap.await(LONGEST_WAIT);
    }
    load = measure();
  }

  /// Runs a step, and has the swap follow what readers noticed of it: all who wait for their next
  /// token, whether the step brought it or they had no part in it.
  private void step(List<Part> parts) {
    latency.begin();
    runner.run(parts);
    long now = device.nanoTime();
    generations.values().forEach(generation -> generation.watch(latency, now));
    swap.stepped(latency.slow(), latency.late());
  }

  private void endCancelledAndOverdue() {
    long now = device.nanoTime();
    var over = new ArrayList<Generation>(0);
    for (Generation generation : generations.values()) {
      if (generation.cancelled() || generation.overdue(now)) {
        over.add(generation);
      }
    }
    for (Generation generation : over) {
      if (generation.cancelled()) {
        end(generation, Outcome.CANCELLED, "the request was cancelled");
      } else {
        end(generation, Outcome.DEADLINE, "no token came before the deadline");
      }
    }
  }

  @Override
  public Generation of(Sequence sequence) {
    Generation generation = generations.get(sequence);
    if (generation == null) {
      throw new IllegalStateException("a sequence was planned after its end");
    }
    return generation;
  }

  @Override
  public void fail(Part part) {
    end(of(part.sequence()), Outcome.INTERNAL, "a step of the model failed");
  }

  /// A failure in here is this sequence's alone.
  @Override
  public void take(Part part, StepResult.Entry result, long now) {
    Generation generation = of(part.sequence());
    try {
      if (generation.wantsLogits(part)) {
        generation.score(part.from(), result.logits());
      }
      boolean samples = part.samples();
      part.sequence().advance(part.count());
      if (samples) {
        tellAll(generation, part, result.sampled(), now);
      }
    } catch (RuntimeException | Error e) {
      log.atError()
          .setCause(e)
          .addKeyValue("revision", revision)
          .addKeyValue("request", generation.request().id())
          .log("a token could not be delivered; its request ends");
      end(generation, Outcome.INTERNAL, "the request failed inside the engine");
    }
  }

  /// The first token follows from the text, each further one from a draft that proved right.
  private void tellAll(Generation generation, Part part, List<SampledToken> sampled, long now) {
    if (sampled.isEmpty()) {
      throw new IllegalStateException("the step chose no token");
    }
    int told = 0;
    for (SampledToken token : sampled) {
      if (told++ > 0) {
        generation.sequence().advance(1);
      }
      if (tell(generation, token, now)) {
        break;
      }
    }
    if (part.drafts() > 0) {
      generation.checked(part.drafts(), told - 1);
      observer.onDrafted(revision, part.drafts(), told - 1);
    }
  }

  /// Returns whether the generation is over.
  private boolean tell(Generation generation, SampledToken sampled, long now) {
    if (generation.firstToken() && generation.request().scorePrompt()) {
      generation.listener().onPromptScored(generation.scores());
    }
    generation.watch(latency, now);
    var advance = generation.accept(sampled, now);
    if (!advance.tokens().isEmpty() || !advance.text().isEmpty()) {
      generation.listener().onTokens(advance.text(), advance.tokens());
    }
    advance.end().ifPresent(outcome -> end(generation, outcome, ""));
    return advance.end().isPresent();
  }

  /// Frees what the generation holds, and then says that it is over, so that whoever hears of it
  /// finds the place free. Does nothing the second time.
  private void end(Generation generation, Outcome outcome, String message) {
    if (generations.remove(generation.sequence()) == null) {
      return;
    }
    planner.remove(generation.sequence());
    generation.leave();
    if (outcome == Outcome.STOP || outcome == Outcome.LENGTH) {
      deadlines.ended(generation.usage().completionTokens());
    }
    load = measure();
    observer.onEnded(
        generation.entrance().revision(), generation.summary(outcome, device.nanoTime()));
    try {
      generation.tellEnd(outcome, message);
    } catch (RuntimeException | Error e) {
      log.atWarn()
          .setCause(e)
          .addKeyValue("request", generation.request().id())
          .log("a listener failed at the end of its request");
    }
  }

  /// Blocks whose memory could not be given back are still free to be written again.
  private void release(int[] blocks) {
    try {
      executable.releaseBlocks(blocks);
    } catch (RuntimeException | Error e) {
      log.atWarn()
          .setCause(e)
          .addKeyValue("revision", revision)
          .log("the memory of free blocks could not be given back");
    }
  }

  private Engine.Load measure() {
    return new Engine.Load(
        planner.runningCount(),
        planner.waitingCount(),
        blocks.planned(),
        blocks.actual(),
        blocks.capacity(),
        executable.kvLayout().blockTokens());
  }

  @Override
  public void fail(Throwable cause) {
    observer.onStepFailed(revision, cause);
    List.copyOf(generations.values()).forEach(g -> end(g, Outcome.INTERNAL, "the engine failed"));
  }

  @Override
  public void end() {
    closing = true;
    if (closed) {
      return;
    }
    closed = true;
    endAll(_ -> true);
    device.remove(this);
    if (elastic != null) {
      elastic.close();
    }
    try {
      blocks.checkNothingIsHeld();
    } finally {
      swap.close();
      executable.close();
    }
  }
}
