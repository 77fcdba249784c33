package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.scheduling.KvBlocks;
import dev.weft.runtime.scheduling.StepBudget;
import dev.weft.runtime.scheduling.StepPlan.Part;
import dev.weft.runtime.scheduling.StepPlanner;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A decoder at work: plans a step and has it run, with the memory that it needs. [Admission] lets
/// requests in, [Generations] are those at work.
final class DecoderLoop implements Engine.DecoderInstance, Work {
  private static final Logger log = LoggerFactory.getLogger(DecoderLoop.class);

  /// A turn that can do nothing before saved blocks have been read waits for that so long.
  private static final Duration LONGEST_WAIT = Duration.ofMillis(2);

  private final RevisionId revision;
  private final DecoderExecutable executable;
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
  private final Headroom headroom;
  private final KeptKv kept;
  private final Generations generations;
  private final StepProbe probe;
  private final InTime.Kv kv;
  private final InTime inTime;
  private final Admission admission;

  /// To the model as it is.
  private final Entrance plain;

  private @Nullable ElasticKv elastic;
  private volatile Engine.Load load;
  private volatile long latestStart = Headroom.NONE;

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
    this.options = options;
    this.observer = observer;
    this.device = device;
    pace = new PrefillPace(options.maxBatchTokens(), options.profile()::decodeNanos);
    report = new CacheReport(revision, observer);
    latency = new LatencyWatch(options.serviceLevel());
    deadlines = new Deadlines(options.serviceLevel());
    headroom = new Headroom(deadlines, options.profile());

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
                settings.maxScoredRows(),
                executable.rowsAtOnce()),
            blocks);
    kept = new KeptKv(executable, planner, device);
    generations =
        new Generations(revision, planner, latency, deadlines, observer, device, kept, this::freed);
    runner =
        new StepRunner(
            revision,
            executable,
            observer,
            device,
            pace,
            options.profile(),
            generations,
            new Following(),
            this::getAhead);
    probe = new StepProbe(revision, executable, blocks, this::makeFree, device::nanoTime, options);
    kv = new InTime.Kv(blocks, executable.kvLayout(), supply);
    inTime = new InTime(this, deadlines, kv, observer, device);
    admission = new Admission(options, tokenizer, planner, kv, inTime, device, this::admitted);
    plain = admission.open(revision, StepBatch.Entry.NO_ADAPTER, options.maxWaiting());
    load = measure();
  }

  /// Makes this a tenant of the device's memory. Called before the first turn.
  void share(KvShare share) {
    elastic = new ElasticKv(share, blocks, planner, executable, priority());
    share.attach(elastic);
  }

  @Override
  public RevisionId revision() {
    return revision;
  }

  @Override
  public Engine.Load load() {
    Engine.Load last = load;
    long latest = latestStart;
    return new Engine.Load(
        last.running(),
        Math.max(0, admission.outstanding() - last.running()),
        last.blocksPlanned(),
        last.blocksActual(),
        last.blockCapacity(),
        last.tokensPerBlock(),
        latest == Headroom.NONE ? null : Duration.ofNanos(latest - device.nanoTime()));
  }

  private void admitted(Generation generation) {
    generations.add(generation);
    headroom.add(generation);
    latestStart = headroom.latestStart();
  }

  @Override
  public Submission submit(GenerationRequest request, GenerationListener listener) {
    return admission.submit(plain, request, listener);
  }

  @Override
  public Submission submitInTime(GenerationRequest request, GenerationListener listener) {
    return admission.submitInTime(plain, request, listener);
  }

  @Override
  public boolean stop() {
    admission.close();
    device.call(() -> generations.stop(_ -> true));
    return !kept.isEmpty();
  }

  /// Stops what came in by an adapter's entrance.
  boolean stop(Entrance entrance) {
    entrance.close();
    device.call(() -> generations.stop(generation -> generation.entrance() == entrance));
    return !kept.isEmpty();
  }

  @Override
  public void awaitFetched(Duration longest) {
    kept.await(longest);
  }

  @Override
  public Optional<KvArrival> arrive(int[] tokens) {
    return arrive(tokens, StepBatch.Entry.NO_ADAPTER);
  }

  Optional<KvArrival> arrive(int[] tokens, int adapter) {
    var arrival = new AtomicReference<Optional<KvArrival>>(Optional.empty());
    device.call(() -> {
      if (!generations.closed()) {
        arrival.set(
            KvArrival.open(
                executable, planner, device, options.profile().times(), tokens, adapter));
        publish();
      }
    });
    return arrival.get();
  }

  @Override
  public void close() {
    admission.close();
    device.call(this::end);
  }

  @Override
  public long adapterBytes(AdapterWeights adapter) {
    return executable.adapterBytes(adapter);
  }

  @Override
  public Engine.DecoderInstance adapt(RevisionId of, AdapterWeights adapter, int maxWaiting) {
    int handle = executable.addAdapter(adapter);
    return new AdaptedDecoder(this, admission, admission.open(of, handle, maxWaiting));
  }

  /// Ends what came in by an adapter's entrance, and frees the adapter. Does nothing the second
  /// time.
  void close(Entrance entrance) {
    entrance.close();
    device.call(() -> {
      if (!admission.remove(entrance) || generations.closed()) {
        return;
      }
      generations.endOf(entrance);
      executable.removeAdapter(entrance.adapter());
    });
  }

  @Override
  public boolean hasWork() {
    return !planner.idle();
  }

  @Override
  public long due() {
    return generations.due();
  }

  @Override
  public boolean lost() {
    return generations.lost();
  }

  @Override
  public long longestBeside() {
    return PrefillPace.longestBeside(options.serviceLevel());
  }

  @Override
  public int priority() {
    return options.serviceLevel().priority();
  }

  @Override
  public int quota() {
    return deadlines.quota(options.profile().times(), planner.runningCount());
  }

  @Override
  public Optional<Demand> demand() {
    return options.profile().times().map(times -> inTime.demand(times, generations.all()));
  }

  @Override
  public Optional<KvHoldings> kvHoldings() {
    return Optional.of(KvHoldings.of(generations.all(), deadlines, kv, options.profile().times()));
  }

  @Override
  public void expectKv(long bytes) {
    if (elastic != null) {
      elastic.expect(Math.ceilDiv(bytes, executable.kvLayout().blockBytes()));
    }
  }

  @Override
  public void idle() {
    if (elastic != null) {
      elastic.idle(device.nanoTime());
    }
    if (executable.arrival().over()) {
      probe.idle();
    }
  }

  /// Beside a step, for the next ones.
  private void getAhead() {
    if (elastic != null) {
      elastic.getAhead(device.nanoTime());
    }
  }

  private void makeFree(int count) {
    if (elastic != null) {
      elastic.makeFree(count);
    }
  }

  @Override
  public boolean underWay() {
    return runner.underWay();
  }

  @Override
  public void turn() {
    probe.used();
    generations.endCancelledAndOverdue();
    generations.letPass();
    if (runner.underWay()) {
      goOn();
    } else {
      begin();
    }
    lookAhead();
    publish();
  }

  /// Ends the step that was submitted ahead. What has come meanwhile is planned after it.
  private void goOn() {
    // Before it is known who still runs.
    executable.prepare(planner.runningCount());
    List<Part> parts = planner.takeAhead();
    moveBeside();
    step(() -> runner.goOn(parts));
  }

  /// Begins a step.
  private void begin() {
    generations.draft();
    long own = planner.decoding() ? longestBeside() : PrefillPace.NOBODY_READS;
    long longest = Math.min(own, device.longestBesideOthers(this));
    StepBudget budget =
        !executable.arrival().over() && longest == PrefillPace.NOBODY_READS
            // It takes as long as the weights do, however many rows it has.
            ? StepBudget.ofRows(options.maxBatchTokens())
            : pace.next(longest, planner.decodeRows(), planner.decodeContext());
    executable.prepare(planner.mostRows(budget));
    if (elastic != null) {
      elastic.prepare(device.nanoTime());
    }
    var plan = planner.plan(budget);
    plan.preempted().forEach(_ -> observer.onPreempted(revision));
    generations.start(plan.parts(), device.nanoTime());
    moveBeside();
    if (!plan.parts().isEmpty()) {
      step(() -> runner.run(plan.parts()));
    } else if (!device.othersHaveWork(this)) {
      swap.await(LONGEST_WAIT);
    }
  }

  /// Tells what has been planned, and moves what swapping is about.
  private void moveBeside() {
    report.tell(blocks);
    publish();
    swap.poll();
    planner.swapAhead();
  }

  /// Runs a step, and has the swap follow what readers noticed of it: all who wait for their next
  /// token, whether the step brought it or they had no part in it.
  private void step(Runnable step) {
    latency.begin();
    step.run();
    generations.watch(device.nanoTime());
    swap.stepped(latency.slow(), latency.late());
  }

  /// A step is submitted ahead while nobody else could have it: a request that comes later waits
  /// for two.
  private final class Following implements StepRunner.Ahead {
    @Override
    public List<Part> plan(List<Part> step) {
      boolean free =
          executable.runsAhead()
              && executable.arrival().over()
              && !device.tasksWait()
              && !device.othersHaveWork(DecoderLoop.this);
      return free && step.stream().allMatch(part -> generations.of(part.sequence()).runsAhead())
          ? planner.planAhead(step)
          : List.of();
    }

    @Override
    public void drop() {
      var _ = planner.takeAhead();
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

  private void publish() {
    load = measure();
  }

  /// The next turn looks anew; one that is the last leaves nothing to look at.
  private void freed() {
    if (generations.all().isEmpty()) {
      lookAhead();
    }
    publish();
  }

  private void lookAhead() {
    headroom.look(generations.all());
    latestStart = headroom.latestStart();
  }

  private Engine.Load measure() {
    return new Engine.Load(
        planner.runningCount(),
        planner.waitingCount(),
        blocks.planned(),
        blocks.actual(),
        blocks.capacity(),
        executable.kvLayout().blockTokens(),
        null);
  }

  @Override
  public void fail(Throwable cause) {
    observer.onStepFailed(revision, cause);
    generations.failAll();
  }

  @Override
  public void end() {
    admission.close();
    if (generations.closed()) {
      return;
    }
    runner.drop();
    generations.close();
    kept.clear();
    planner.letGoAll();
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
