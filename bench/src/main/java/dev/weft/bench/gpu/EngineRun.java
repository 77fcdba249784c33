package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Quantization;
import dev.weft.functions.RevisionId;
import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.Backend.Footprint;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.engine.DeviceLoop;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationRequest;
import dev.weft.runtime.engine.StepProfile;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.weights.Weights;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;

/// A device's engine with its memory, put together as the runtime's process does it, and functions
/// in it whose weights are of no file. Every request is of random tokens, no two of which begin
/// alike, and its answer as long as asked for.
final class EngineRun implements AutoCloseable {
  private static final ServiceLevel PATIENT =
      new ServiceLevel(Duration.ofHours(1), Duration.ofSeconds(10));

  private static final int MAX_WAITING = 1_000;

  private final Backend backend;
  private final MemoryLedger ledger;
  private final TimedChunks memory;
  private final ChunkPool chunks;
  private final Balloon balloon;
  private final DeviceLoop engine;
  private final StepLog steps;
  private final Map<RevisionId, DecoderInstance> instances = new ConcurrentHashMap<>();
  private final List<Reservation> reservations = new ArrayList<>();
  private final AtomicLong takenChunks = new AtomicLong();
  private long guaranteedBytes;
  private long stepBytes;
  private long requests;

  /// A function in it.
  record Function(DecoderInstance instance, ModelShape shape) {
    RevisionId id() {
      return instance.revision();
    }
  }

  /// Bounds of a function's steps.
  record Bounds(int context, int batchTokens, int sequences) {}

  /// @param backend stays the caller's
  /// @param capacityBytes of the device's memory, for everything
  EngineRun(Backend backend, long capacityBytes) {
    this.backend = backend;
    ledger = new MemoryLedger(capacityBytes);
    memory = new TimedChunks(backend.openMemory(capacityBytes));
    chunks = new ChunkPool(memory);
    balloon = new Balloon(chunks, ledger, new Taken());
    steps =
        new StepLog(
            new StepLog.Circumstances() {
              @Override
              public long stallNanos() {
                return memory.nanos();
              }

              @Override
              public Engine.Load load(RevisionId function) {
                return Objects.requireNonNull(instances.get(function)).load();
              }
            });
    engine = new DeviceLoop("bench", steps, SwapSpace.NONE);
  }

  StepLog steps() {
    return steps;
  }

  /// Chunks that were mapped so far.
  long mappedChunks() {
    return memory.mapped();
  }

  /// Of these, what a function took from another.
  long takenChunks() {
    return takenChunks.get();
  }

  /// Time that changes of mappings took so far beside steps that went on after them.
  long besideNanos() {
    return memory.besideNanos();
  }

  /// Watches a step that has just been submitted: what changes until its result is asked for is
  /// beside it.
  PendingStep beside(PendingStep step) {
    return memory.beside(step);
  }

  private final class Taken implements Balloon.Observer {
    @Override
    public void onInflated(String owner, int inflated, int taken, Duration stall) {
      takenChunks.addAndGet(taken);
    }
  }

  /// Ends requests, and returns when they have.
  static void cancel(List<Answer> answers, Duration limit) throws InterruptedException {
    answers.forEach(Answer::cancel);
    for (Answer answer : answers) {
      answer.awaitEnd(limit);
    }
  }

  /// Takes bytes away for good, as one does who reserves for the worst that may come.
  void reserve(String owner, long bytes) {
    reservations.add(reserved(ledger.reserve(owner, bytes)));
    guaranteedBytes += bytes;
  }

  private static Reservation reserved(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Reserved(Reservation reservation) -> reservation;
      case Outcome.Refused(long asked, long available) ->
          throw new IllegalStateException(
              "%d bytes were asked for, %d are free".formatted(asked, available));
    };
  }

  Function add(String name, ModelShape shape, Weights weights, Bounds bounds) {
    return add(name, shape, weights, bounds, decoder -> decoder);
  }

  /// Loads a function as the runtime does: its weights and a full context must fit beside what
  /// others were promised, and beside what the largest step of all computes in.
  ///
  /// @param around puts something around its decoder
  Function add(
      String name,
      ModelShape shape,
      Weights weights,
      Bounds bounds,
      UnaryOperator<DecoderExecutable> around) {
    var revision = new RevisionId(new FunctionName(name), 1);
    DecoderSpec spec = ShapedWeights.spec(shape);
    Footprint footprint = backend.footprint(spec, weights, options(bounds, 0));
    int guarantee =
        footprint
            .kv()
            .tiling(chunks.chunkBytes())
            .chunksFor(footprint.kv().blocksFor(bounds.context()));
    promise(footprint, guarantee * chunks.chunkBytes());
    var outcome = new AtomicReference<Outcome>();
    engine.call(() -> outcome.set(balloon.reserve(name, footprint.weightBytes())));
    Reservation reservation = reserved(outcome.get());
    reservations.add(reservation);
    reservation.committed().join();
    KvShare kv = balloon.open(name, footprint.kv().blockBytes(), guarantee, reservation);
    DecoderExecutable executable = compiled(spec, weights, bounds, footprint, kv);
    DecoderInstance instance =
        engine.add(
            revision,
            around.apply(executable),
            new PlainTokenizer(shape.vocabulary()),
            new Engine.DecoderOptions(
                bounds.context(),
                kv.blocks(),
                bounds.batchTokens(),
                bounds.sequences(),
                MAX_WAITING,
                PATIENT,
                StepProfile.none()),
            kv);
    instances.put(revision, instance);
    return new Function(instance, shape);
  }

  private DecoderExecutable compiled(
      DecoderSpec spec, Weights weights, Bounds bounds, Footprint footprint, KvShare kv) {
    Scratch scratch = balloon.openScratch(footprint.activationBytes());
    try {
      return backend.compile(
          spec,
          weights,
          options(bounds, kv.addressableBlocks()),
          new DecoderMemory(kv.kv(), scratch));
    } catch (RuntimeException | Error e) {
      scratch.close();
      kv.close();
      kv.kv().close();
      throw e;
    }
  }

  private void promise(Footprint footprint, long contextBytes) {
    guaranteedBytes += footprint.weightBytes() + contextBytes;
    stepBytes = Math.max(stepBytes, footprint.activationBytes());
    if (guaranteedBytes + stepBytes > ledger.capacityBytes()) {
      throw new IllegalStateException(
          "weights and a full context of each function take %d bytes, their steps %d, of %d"
              .formatted(guaranteedBytes, stepBytes, ledger.capacityBytes()));
    }
  }

  private static CompileOptions options(Bounds bounds, int kvBlockCount) {
    return new CompileOptions(
        Quantization.NONE,
        bounds.context(),
        kvBlockCount,
        bounds.batchTokens(),
        bounds.sequences());
  }

  /// Submits requests at once: no step begins before all are in the queue.
  ///
  /// @param prompts tokens of each
  /// @param answer tokens of each
  List<Answer> submit(Function function, List<Integer> prompts, int answer) {
    return submit(function, prompts, answer, SamplingParameters.GREEDY);
  }

  /// As [#submit(Function, List, int)], with tokens chosen as `sampling` says.
  List<Answer> submit(
      Function function, List<Integer> prompts, int answer, SamplingParameters sampling) {
    var queued = new CountDownLatch(1);
    var held = new CountDownLatch(1);
    Thread holding =
        Thread.ofVirtual()
            .start(() ->
                engine.call(() -> {
                  held.countDown();
                  awaitQuietly(queued);
                }));
    awaitQuietly(held);
    try {
      return prompts.stream().map(tokens -> one(function, tokens, answer, sampling)).toList();
    } finally {
      queued.countDown();
      joinQuietly(holding);
    }
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static void joinQuietly(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private Answer one(
      Function function, int promptTokens, int answerTokens, SamplingParameters sampling) {
    var answer = new Answer();
    int[] prompt = tokens(++requests, promptTokens, function.shape().vocabulary());
    var request = request("bench-" + requests, prompt, answerTokens, sampling);
    return switch (function.instance().submit(request, answer)) {
      case Submission.Admitted admitted -> answer.of(admitted);
      case Submission.Rejected rejected ->
          throw new IllegalStateException("refused: " + rejected.message());
    };
  }

  /// Random tokens, no two of whose beginnings are alike by another seed.
  static int[] tokens(long seed, int count, int vocabulary) {
    return new SplittableRandom(seed).ints(count, 0, vocabulary).toArray();
  }

  /// A greedy request whose answer is as long as asked for.
  static GenerationRequest request(String id, int[] prompt, int answerTokens) {
    return request(id, prompt, answerTokens, SamplingParameters.GREEDY);
  }

  private static GenerationRequest request(
      String id, int[] prompt, int answerTokens, SamplingParameters sampling) {
    return new GenerationRequest(
        id,
        prompt,
        sampling,
        answerTokens,
        answerTokens,
        List.of(),
        true,
        false,
        0,
        Optional.empty());
  }

  @Override
  public void close() {
    instances.values().forEach(DecoderInstance::close);
    engine.close();
    reservations.forEach(Reservation::close);
    chunks.close();
  }
}
