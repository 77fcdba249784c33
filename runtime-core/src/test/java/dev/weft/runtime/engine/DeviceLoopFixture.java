package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.Engine.Submission.Rejected;
import dev.weft.runtime.memory.SwapSpace;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;

/// An engine with a clock that stands still, scripted models for it, and what it told.
abstract class DeviceLoopFixture {
  static final RevisionId REVISION = new RevisionId(new FunctionName("test"), 1);
  static final int BLOCKS = 64;

  final AtomicLong nanos = new AtomicLong();
  final ConcurrentLinkedQueue<EngineObserver.Ended> ends = new ConcurrentLinkedQueue<>();
  final AtomicInteger preemptions = new AtomicInteger();
  final AtomicInteger failedSteps = new AtomicInteger();
  final DeviceLoop engine =
      new DeviceLoop("test", new Observer(), settings(256), SwapSpace.NONE, nanos::get);

  final class Observer implements EngineObserver {
    @Override
    public void onEnded(RevisionId revision, Ended ended) {
      ends.add(ended);
    }

    @Override
    public void onPreempted(RevisionId revision) {
      preemptions.incrementAndGet();
    }

    @Override
    public void onStepFailed(RevisionId revision, Throwable cause) {
      failedSteps.incrementAndGet();
    }
  }

  static DeviceLoop.Settings settings(int growthTokens) {
    return new DeviceLoop.Settings(growthTokens, 4, 16, Duration.ofMillis(5));
  }

  @AfterEach
  void closeEngine() {
    engine.close();
  }

  final FakeDecoder fake(Function<int[], float[]> model) {
    return fake(BLOCKS, model);
  }

  /// A new decoder with blocks of eight tokens.
  FakeDecoder fake(int blocks, Function<int[], float[]> model) {
    return new FakeDecoder(blocks, 8, model);
  }

  static FakeDecoder decoderWith(FakeDecoder decoder, Gate gate) {
    var steps = new AtomicInteger();
    return decoder.beforeStep(batch -> {
      if (steps.getAndIncrement() == 0) {
        gate.accept(batch);
      }
      if (holds(batch, '!')) {
        throw new IllegalStateException("poison");
      }
    });
  }

  DecoderInstance add(FakeDecoder decoder, DecoderOptions options) {
    return engine.add(REVISION, decoder, new ByteTokenizer(), options);
  }

  DecoderInstance decoder(Function<int[], float[]> model, DecoderOptions options) {
    return add(fake(model), options);
  }

  DecoderInstance answering(String text) {
    return decoder(history -> answer(history, text), options(4, 4));
  }

  static DecoderOptions options(int maxSequences, int maxWaiting) {
    return TestOptions.of(512, BLOCKS, 16, maxSequences, maxWaiting);
  }

  float[] answer(int[] history) {
    return answer(history, "echo");
  }

  /// The next byte of `text`, counted from the answer token; then the end token.
  static float[] answer(int[] history, String text) {
    int start = history.length;
    while (history[start - 1] != ByteTokenizer.ANSWER) {
      start--;
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int index = history.length - start;
    return index < bytes.length ? logits(bytes[index] & 0xff) : onlyEnd();
  }

  static float[] onlyEnd() {
    return logits(ByteTokenizer.END);
  }

  static float[] logits(int token) {
    float[] logits = new float[ByteTokenizer.VOCABULARY];
    logits[token] = 10;
    return logits;
  }

  /// Logits that depend on every token before.
  static float[] hashedLogits(int[] history) {
    var random = new SplittableRandom(Arrays.hashCode(history));
    float[] logits = new float[ByteTokenizer.VOCABULARY];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextDouble(-5, 5);
    }
    return logits;
  }

  static boolean holds(StepBatch batch, int token) {
    return batch.entries().stream()
        .anyMatch(entry -> Arrays.stream(entry.tokens()).anyMatch(t -> t == token));
  }

  static Rejected.Code rejection(DecoderInstance instance, Requests request) {
    return switch (instance.submit(request.build(), new RecordingListener())) {
      case Submission.Admitted _ -> throw new AssertionError("it was admitted");
      case Rejected(var code, var message, _) -> {
        assertThat(message).isNotBlank();
        yield code;
      }
    };
  }

  static void awaitUntil(BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the condition came true in time").isLessThan(end);
      Thread.onSpinWait();
    }
  }

  /// Holds up every step, but the first few, until it is opened.
  static final class Gate implements Consumer<StepBatch> {
    private final AtomicInteger passes;
    private final CountDownLatch arrived = new CountDownLatch(1);
    private final CountDownLatch open = new CountDownLatch(1);

    Gate() {
      this(0);
    }

    Gate(int passes) {
      this.passes = new AtomicInteger(passes);
    }

    @Override
    public void accept(StepBatch batch) {
      if (passes.getAndDecrement() > 0) {
        return;
      }
      arrived.countDown();
      try {
        open.await();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }

    void awaitArrival() {
      try {
        arrived.await();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }

    void open() {
      open.countDown();
    }
  }
}
