package dev.weft.runtime.engine;

import dev.weft.functions.FunctionName;
import dev.weft.functions.Quantization;
import dev.weft.functions.RevisionId;
import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.backend.TimedDecoder;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.tokenizer.Tokenizers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/// Engines with a small random model on some backend, and what they told.
public abstract class EngineFixture {
  static final RevisionId REVISION = new RevisionId(new FunctionName("tiny"), 1);
  static final int CONTEXT = 192;

  private final List<AutoCloseable> open = new ArrayList<>();
  final AtomicInteger preemptions = new AtomicInteger();
  final AtomicLong evictions = new AtomicLong();
  final AtomicLong prefillRows = new AtomicLong();
  final AtomicLong swappedOut = new AtomicLong();
  final AtomicLong swappedIn = new AtomicLong();
  final AtomicInteger swapFailures = new AtomicInteger();
  final Set<EngineObserver.SwapPlace> swapPlaces = ConcurrentHashMap.newKeySet();
  final ConcurrentLinkedQueue<EngineObserver.SwapRefusal> refusals = new ConcurrentLinkedQueue<>();
  final AtomicInteger drafted = new AtomicInteger();
  final AtomicInteger accepted = new AtomicInteger();
  final ConcurrentLinkedQueue<String> kinds = new ConcurrentLinkedQueue<>();
  final ConcurrentLinkedQueue<Integer> steps = new ConcurrentLinkedQueue<>();
  SwapSpace swap = SwapSpace.NONE;
  KvType kvType = KvType.F16;
  private final AtomicLong time = new AtomicLong();

  /// Rows take long on it, and nothing else any time: swapping pays.
  final LongSupplier timed = withoutDisk(time::get);

  /// What steps and service levels are measured by.
  protected LongSupplier clock = System::nanoTime;

  @TempDir protected Path directory;

  /// The same clock, but for the swap's thread, for which it stands still: steps that are taken
  /// while a disk is at work make it no slower.
  static LongSupplier withoutDisk(LongSupplier clock) {
    return () -> Thread.currentThread().getName().equals("weft-swap") ? 0 : clock.getAsLong();
  }

  /// A new backend; closed after the test.
  protected abstract Backend open();

  protected Quantization quantization() {
    return Quantization.NONE;
  }

  @AfterEach
  final void closeAll() throws Exception {
    for (AutoCloseable closeable : open.reversed()) {
      closeable.close();
    }
  }

  List<Integer> runAlone(Requests request) {
    try (var instance = instance(64, 128, 256)) {
      return request.run(instance).ids();
    }
  }

  List<List<Integer>> runTogether(DecoderInstance instance, List<Requests> requests) {
    var listeners = requests.stream().map(request -> request.submitTo(instance)).toList();
    return listeners.stream().map(listener -> listener.await().ids()).toList();
  }

  static Requests request(int promptLength, long seed) {
    return Requests.of(tokens(promptLength, seed)).maxTokens(40).ignoringEnd();
  }

  static int[] tokens(int count, long seed) {
    return new SplittableRandom(seed).ints(count, 3, 250).toArray();
  }

  DecoderInstance instance(int kvBlocks, int maxBatchTokens, int growthTokens) {
    return add(engine(growthTokens), kvBlocks, maxBatchTokens);
  }

  DeviceLoop engine(int growthTokens) {
    var observer =
        new EngineObserver() {
          @Override
          public void onPreempted(RevisionId revision) {
            preemptions.incrementAndGet();
          }

          @Override
          public void onPrefixes(RevisionId revision, long reusedTokens, long evictedBlocks) {
            evictions.addAndGet(evictedBlocks);
          }

          @Override
          public void onSwapped(RevisionId revision, SwapPlace place, long bytesOut, long bytesIn) {
            swapPlaces.add(place);
            swappedOut.addAndGet(bytesOut);
            swappedIn.addAndGet(bytesIn);
          }

          @Override
          public void onSwapFailed(RevisionId revision) {
            swapFailures.incrementAndGet();
          }

          @Override
          public void onSwapRefused(RevisionId revision, SwapRefusal reason) {
            refusals.add(reason);
          }

          @Override
          public void onDrafted(RevisionId revision, int guessed, int right) {
            drafted.addAndGet(guessed);
            accepted.addAndGet(right);
          }

          @Override
          public void onStep(RevisionId revision, Step step) {
            kinds.add("token");
            steps.add(step.sequences());
            prefillRows.addAndGet(step.prefillRows());
          }

          @Override
          public void onEmbeddingStep(RevisionId revision, Duration time, int texts, int tokens) {
            kinds.add("texts");
          }
        };
    var settings = new DeviceLoop.Settings(growthTokens, 16, 64, Duration.ofMillis(50));
    var engine = new DeviceLoop("contract", observer, settings, swap, clock);
    open.add(engine);
    return engine;
  }

  private Backend backend() {
    var backend = open();
    open.addFirst(backend);
    return backend;
  }

  DecoderInstance add(DeviceLoop engine, int kvBlocks, int maxBatchTokens) {
    var model = ModelFiles.open(TinyModels.llama(directory, 7).writeGguf());
    open.addFirst(model);
    Tokenizer tokenizer = Tokenizers.open(model.tokenizer());
    open.addFirst(tokenizer);
    var options = new CompileOptions(quantization(), kvType, CONTEXT, kvBlocks, maxBatchTokens, 8);
    var executable = backend().compile((DecoderSpec) model.spec(), model.weights(), options);
    return engine.add(
        REVISION,
        clock.equals(timed) ? new TimedDecoder(executable, time) : executable,
        tokenizer,
        TestOptions.of(CONTEXT, kvBlocks, maxBatchTokens, 8, 32));
  }

  Engine.EncoderInstance encoder(DeviceLoop engine) {
    var model = ModelFiles.open(TinyModels.bert(directory, 7).writeSafetensors());
    open.addFirst(model);
    var options = new CompileOptions(quantization(), 64, 0, 256, 8);
    return engine.add(
        REVISION,
        backend().compile((EncoderSpec) model.spec(), model.weights(), options),
        ServiceLevel.DEFAULT);
  }
}
