package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.Engine.Submission.Rejected;
import dev.weft.runtime.engine.EngineObserver.Outcome;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.sampling.LogProbabilities;
import dev.weft.runtime.sampling.SampledToken;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The loop over a scripted model: what is told to whom, and what is left behind.
@Timeout(60)
class DeviceLoopTest {
  private static final RevisionId REVISION = new RevisionId(new FunctionName("test"), 1);
  private static final int BLOCKS = 64;

  private final AtomicLong nanos = new AtomicLong();
  private final ConcurrentLinkedQueue<EngineObserver.Ended> ends = new ConcurrentLinkedQueue<>();
  private final AtomicInteger preemptions = new AtomicInteger();
  private final AtomicInteger failedSteps = new AtomicInteger();
  private final DeviceLoop engine =
      new DeviceLoop("test", new Observer(), settings(256), nanos::get);

  private final class Observer implements EngineObserver {
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

  private static DeviceLoop.Settings settings(int growthTokens) {
    return new DeviceLoop.Settings(growthTokens, 4, 16, Duration.ofMillis(5));
  }

  @AfterEach
  void closeEngine() {
    engine.close();
  }

  @Test
  void answersUntilTheEndToken() {
    var end = Requests.ask("hi").run(answering("hello"));

    assertThat(end.text()).isEqualTo("hello");
    assertThat(end.finishReason()).isEqualTo(FinishReason.STOP);
    assertThat(end.tokens()).hasSize(5);
    assertThat(end.usage()).contains(new GenerationListener.Usage(3, 0, 6));
  }

  @Test
  void endsAtMaxTokens() {
    var end = Requests.ask("hi").maxTokens(3).run(answering("hello"));

    assertThat(end.text()).isEqualTo("hel");
    assertThat(end.finishReason()).isEqualTo(FinishReason.LENGTH);
  }

  @Test
  void goesOnPastTheEndTokenWhenAsked() {
    var end = Requests.ask("hi").maxTokens(8).ignoringEnd().run(answering("hello"));

    assertThat(end.ids()).hasSize(8);
    assertThat(end.ids().subList(5, 8)).containsOnly(ByteTokenizer.END);
    assertThat(end.finishReason()).isEqualTo(FinishReason.LENGTH);
  }

  @Test
  void blocksTheEndTokenBeforeMinTokens() {
    var end = Requests.ask("hi").maxTokens(20).minTokens(8).run(answering("hello"));

    assertThat(end.ids()).hasSizeGreaterThanOrEqualTo(8).doesNotContain(ByteTokenizer.END);
  }

  @Test
  void stopsAtAStringThatTokensSplit() {
    var end = Requests.ask("hi").stop("lo w", "zzz").run(answering("hello world"));

    assertThat(end.text()).isEqualTo("hel");
    assertThat(end.finishReason()).isEqualTo(FinishReason.STOP);
    assertThat(end.ids()).as("the tokens of the stop string are told").hasSize(7);
  }

  @Test
  void tellsTextThatOnlyBeganLikeAStopString() {
    var end = Requests.ask("hi").stop("lower").run(answering("hello low"));

    assertThat(end.text()).isEqualTo("hello low");
    assertThat(end.pieces()).as("it was held back until the end").endsWith("low");
  }

  @Test
  void ignoresStopStringsBeforeMinTokens() {
    var end = Requests.ask("hi").stop("l").minTokens(5).run(answering("hello world"));

    assertThat(end.text()).isEqualTo("hello wor");
  }

  @Test
  void neverSplitsACharacter() {
    var end = Requests.ask("hi").run(answering("aé漢😀z"));

    assertThat(end.text()).isEqualTo("aé漢😀z");
    assertThat(end.pieces().stream().filter(piece -> !piece.isEmpty()))
        .containsExactly("a", "é", "漢", "😀", "z");
    assertThat(end.tokens()).hasSize(11);
  }

  @Test
  void replacesACharacterThatTheLimitCuts() {
    var end = Requests.ask("hi").maxTokens(3).run(answering("a漢"));

    assertThat(end.text()).isEqualTo("a\uFFFD");
  }

  @Test
  void stopsAtAStringOfManyBytes() {
    var end = Requests.ask("hi").stop("漢😀").run(answering("é漢漢😀z"));

    assertThat(end.text()).isEqualTo("é漢");
  }

  @Test
  void scoresThePromptAcrossChunks() {
    // Rows of four at most are scored at once; the prompt has ten.
    var prompt = ByteTokenizer.prompt("123456789");
    var instance = decoder(history -> hashedLogits(history), options(4, 8));

    var end = Requests.of(prompt).scored(3).maxTokens(1).run(instance);

    assertThat(end.prompt()).hasSize(prompt.length);
    assertThat(end.prompt().getFirst().logprob()).isNaN();
    for (int i = 1; i < prompt.length; i++) {
      var expected = LogProbabilities.score(hashedLogits(Arrays.copyOf(prompt, i)), prompt[i], 3);
      assertThat(end.prompt().get(i)).isEqualTo(expected);
    }
  }

  @Test
  void refusesWhatCanNeverWork() {
    var instance = decoder(history -> onlyEnd(), new DecoderOptions(100, 4, 16, 4, 4));

    assertThat(rejection(instance, Requests.ask("hi").maxTokens(98)))
        .isEqualTo(Rejected.Code.CONTEXT_LENGTH);
    assertThat(rejection(instance, Requests.ask("hi").maxTokens(31)))
        .isEqualTo(Rejected.Code.NEVER_FITS);
    assertThatThrownBy(() -> Requests.of(5, ByteTokenizer.VOCABULARY).run(instance))
        .hasMessageContaining("outside the vocabulary");
    // 3 + 30 tokens, the last of which needs no place: four blocks of eight.
    assertThat(Requests.ask("hi").maxTokens(30).run(instance).finishReason())
        .isEqualTo(FinishReason.STOP);
  }

  @Test
  void refusesWhenTheQueueIsFullAndTakesAgainLater() {
    var gate = new Gate();
    var decoder = fake(this::answer).beforeStep(gate);
    var instance = add(decoder, options(2, 3));
    var admitted = new ArrayList<RecordingListener>();
    for (int i = 0; i < 5; i++) {
      admitted.add(Requests.ask("hi").submitTo(instance));
    }

    assertThat(rejection(instance, Requests.ask("hi"))).isEqualTo(Rejected.Code.QUEUE_FULL);
    gate.open();
    admitted.forEach(listener -> assertThat(listener.await().finishReason()).isNotNull());
    assertThat(Requests.ask("hi").run(instance).finishReason()).isNotNull();
  }

  @Test
  void cancellationFreesTheBlocks() {
    var gate = new Gate(2);
    var instance = add(fake(history -> logits('x')).beforeStep(gate), options(4, 4));
    var listener = new RecordingListener();
    var admitted =
        (Submission.Admitted) instance.submit(Requests.ask("hi").maxTokens(400).build(), listener);
    listener.awaitFirstToken();
    gate.awaitArrival();
    assertThat(instance.load().blocksActual()).isPositive();

    admitted.cancel();
    gate.open();

    assertThat(listener.await().code()).isEqualTo(GenerationError.Code.CANCELLED);
    assertThat(instance.load().blocksActual()).isZero();
    assertThat(instance.load().busy()).isFalse();
    admitted.cancel();
    assertThat(listener.heardAfterEnd()).isFalse();
  }

  @Test
  void theDeadlineHoldsUntilTheFirstToken() {
    var gate = new Gate();
    var instance = add(fake(this::answer).beforeStep(gate), options(1, 4));
    var first = Requests.ask("a").deadline(Duration.ofSeconds(5)).submitTo(instance);
    var second = Requests.ask("b").deadline(Duration.ofSeconds(1)).submitTo(instance);
    gate.awaitArrival();

    nanos.addAndGet(Duration.ofSeconds(2).toNanos());
    gate.open();

    assertThat(second.await().code()).isEqualTo(GenerationError.Code.DEADLINE);
    assertThat(first.await().finishReason()).isEqualTo(FinishReason.STOP);
  }

  @Test
  void aDeadlineOfAllTimeIsNone() {
    var instance = decoder(this::answer, options(2, 2));

    var end = Requests.ask("a").deadline(Duration.ofMillis(Long.MAX_VALUE)).run(instance);

    assertThat(end.text()).isEqualTo("echo");
  }

  @Test
  void onlyTheSequenceThatFailsAloneEnds() {
    // The step fails whenever the prompt with the poison is in it.
    var decoder =
        fake(this::answer)
            .beforeStep(batch -> {
              if (holds(batch, '!')) {
                throw new IllegalStateException("poison");
              }
            });
    var gate = new Gate();
    var gated = add(decoderWith(decoder, gate), options(8, 8));
    var good = new ArrayList<RecordingListener>();
    good.add(Requests.ask("a").submitTo(gated));
    gate.awaitArrival();
    good.add(Requests.ask("b").submitTo(gated));
    var bad = Requests.ask("!").submitTo(gated);
    good.add(Requests.ask("c").submitTo(gated));
    gate.open();

    assertThat(bad.await().code()).isEqualTo(GenerationError.Code.INTERNAL);
    good.forEach(listener -> assertThat(listener.await().text()).isEqualTo("echo"));
    assertThat(failedSteps.get()).isPositive();
    assertThat(gated.load().blocksActual()).isZero();
    assertThat(Requests.ask("d").run(gated).text()).as("the loop goes on").isEqualTo("echo");
  }

  @Test
  void memoryThatCannotBeGivenBackEndsNothing() {
    var decoder = fake(this::answer);
    var failing =
        new DecoderExecutable() {
          @Override
          public KvLayout kvLayout() {
            return decoder.kvLayout();
          }

          @Override
          public PendingStep forward(StepBatch batch) {
            return decoder.forward(batch);
          }

          @Override
          public void releaseBlocks(int[] blocks) {
            throw new IllegalStateException("release");
          }

          @Override
          public void close() {
            decoder.close();
          }
        };
    var instance = engine.add(REVISION, failing, new ByteTokenizer(), options(2, 2));

    assertThat(Requests.ask("a").run(instance).text()).isEqualTo("echo");
    assertThat(Requests.ask("b").run(instance).text()).isEqualTo("echo");
    assertThat(instance.load().busy()).isFalse();
  }

  @Test
  void aLogitThatIsNotANumberEndsOneRequest() {
    var instance =
        decoder(
            history -> {
              float[] logits = answer(history);
              if (history[0] == '!') {
                logits[7] = Float.NaN;
              }
              return logits;
            },
            options(8, 8));
    var bad = Requests.ask("!").submitTo(instance);
    var good = Requests.ask("a").submitTo(instance);

    assertThat(bad.await().code()).isEqualTo(GenerationError.Code.INTERNAL);
    assertThat(good.await().text()).isEqualTo("echo");
  }

  @Test
  void aListenerThatThrowsEndsItsOwnRequestOnly() {
    var instance = decoder(this::answer, options(8, 8));
    var errors = new AtomicInteger();
    var thrower =
        new GenerationListener() {
          @Override
          public void onTokens(String text, List<SampledToken> tokens) {
            throw new IllegalStateException("listener");
          }

          @Override
          public void onFinish(FinishReason reason, Usage usage) {
            throw new IllegalStateException("listener");
          }

          @Override
          public void onError(GenerationError error) {
            errors.incrementAndGet();
            throw new IllegalStateException("listener");
          }
        };
    instance.submit(Requests.ask("x").build(), thrower);

    assertThat(Requests.ask("a").run(instance).text()).isEqualTo("echo");
    awaitUntil(() -> !instance.load().busy());
    assertThat(errors.get()).isEqualTo(1);
    assertThat(instance.load().blocksActual()).isZero();
  }

  @Test
  void closingAnInstanceEndsItsRequestsAndKeepsTheOthers() throws InterruptedException {
    var gate = new Gate(2);
    var decoder = fake(history -> logits('x')).beforeStep(gate);
    var closing = add(decoder, options(2, 8));
    var staying = decoder(this::answer, options(2, 8));
    var running = Requests.ask("a").maxTokens(400).submitTo(closing);
    var waiting = new ArrayList<RecordingListener>();
    for (int i = 0; i < 3; i++) {
      waiting.add(Requests.ask("b").maxTokens(400).submitTo(closing));
    }
    running.awaitFirstToken();
    gate.awaitArrival();

    var closer = Thread.startVirtualThread(closing::close);
    awaitUntil(() ->
        closing.submit(Requests.ask("c").build(), new RecordingListener())
                instanceof Rejected(var code, _)
            && code == Rejected.Code.CLOSING);
    assertThat(decoder.closed()).as("the step under way is waited for").isFalse();
    gate.open();
    closer.join();
    closing.close();

    assertThat(decoder.closed()).isTrue();
    assertThat(running.await().code()).isEqualTo(GenerationError.Code.UNLOADED);
    waiting.forEach(
        listener -> assertThat(listener.await().code()).isEqualTo(GenerationError.Code.UNLOADED));
    assertThat(rejection(closing, Requests.ask("c"))).isEqualTo(Rejected.Code.CLOSING);
    assertThat(Requests.ask("c").run(staying).text()).isEqualTo("echo");
  }

  @Test
  void closingTheEngineUnderLoadEndsEverything() throws InterruptedException {
    var decoder = fake(history -> logits('x'));
    var instance = add(decoder, options(4, 1_000));
    var listeners = new ConcurrentLinkedQueue<RecordingListener>();
    var go = new AtomicBoolean(true);
    var submitters = new ArrayList<Thread>();
    for (int i = 0; i < 3; i++) {
      submitters.add(
          Thread.startVirtualThread(() -> {
            while (go.get()) {
              var listener = new RecordingListener();
              if (instance.submit(Requests.ask("hi").build(), listener)
                  instanceof Submission.Admitted) {
                listeners.add(listener);
              }
            }
          }));
    }
    awaitUntil(() -> listeners.size() > 50);

    engine.close();
    go.set(false);
    for (Thread submitter : submitters) {
      submitter.join();
    }

    assertThat(decoder.closed()).isTrue();
    listeners.forEach(RecordingListener::await);
    assertThat(listeners).noneMatch(RecordingListener::heardAfterEnd);
    assertThatThrownBy(() -> decoder(this::answer, options(1, 1)))
        .hasMessage("the engine is closed");
  }

  @Test
  void aListenerCannotWaitForItsOwnThread() {
    var instance = decoder(this::answer, options(2, 2));
    var message = new CompletableFuture<String>();
    var listener =
        new GenerationListener() {
          @Override
          public void onTokens(String text, List<SampledToken> tokens) {
            try {
              instance.close();
            } catch (IllegalStateException e) {
              message.complete(String.valueOf(e.getMessage()));
            }
          }

          @Override
          public void onFinish(FinishReason reason, Usage usage) {}

          @Override
          public void onError(GenerationError error) {}
        };
    instance.submit(Requests.ask("x").build(), listener);

    assertThat(message.join()).contains("must not wait");
  }

  @Test
  void instancesTakeTurns() {
    var order = new ConcurrentLinkedQueue<String>();
    var gate = new Gate();
    var one = add(fake(h -> logits('x')).beforeStep(b -> order.add("one")), options(2, 2));
    var two = add(fake(h -> logits('x')).beforeStep(b -> order.add("two")), options(2, 2));
    var blocker = add(fake(this::answer).beforeStep(gate), options(1, 1));
    Requests.ask("z").submitTo(blocker);
    gate.awaitArrival();
    var first = Requests.ask("a").maxTokens(20).submitTo(one);
    var second = Requests.ask("b").maxTokens(20).submitTo(two);
    gate.open();
    first.await();
    second.await();

    var steps = List.copyOf(order);
    for (int i = 2; i < 40; i++) {
      assertThat(steps.get(i)).isEqualTo(steps.get(i - 2)).isNotEqualTo(steps.get(i - 1));
    }
  }

  @Test
  void healthGrowsWhenAStepHangsAndAnIdleLoopComesRound() {
    var gate = new Gate();
    var instance = add(fake(this::answer).beforeStep(gate), options(1, 1));
    var listener = Requests.ask("a").submitTo(instance);
    gate.awaitArrival();

    nanos.addAndGet(Duration.ofSeconds(30).toNanos());
    assertThat(engine.sinceLastTurn()).isGreaterThanOrEqualTo(Duration.ofSeconds(30));

    gate.open();
    listener.await();
    nanos.addAndGet(Duration.ofSeconds(30).toNanos());
    awaitUntil(() -> engine.sinceLastTurn().isZero());
  }

  @Test
  void aLongPromptOnASlowMachineGoesInShortSteps() {
    var longest = new AtomicLong();
    var decoder =
        fake(this::answer)
            .beforeStep(batch -> {
              long took = batch.rowCount() * Duration.ofMillis(20).toNanos();
              longest.accumulateAndGet(took, Math::max);
              nanos.addAndGet(took);
            });
    var instance = add(decoder, new DecoderOptions(512, BLOCKS, 500, 4, 4));

    var end = Requests.ask("x".repeat(400)).run(instance);

    assertThat(end.text()).isEqualTo("echo");
    assertThat(Duration.ofNanos(longest.get())).isLessThanOrEqualTo(Duration.ofSeconds(2));
    assertThat(decoder.mostRows()).as("it grows from the first few rows").isEqualTo(50);
  }

  @Test
  void observersHearOfEveryEnd() {
    var gate = new Gate();
    var instance =
        add(
            fake(this::answer)
                .beforeStep(batch -> {
                  gate.accept(batch);
                  nanos.addAndGet(Duration.ofMillis(10).toNanos());
                }),
            options(1, 4));
    gate.open();

    Requests.ask("a").run(instance);

    awaitUntil(() -> !ends.isEmpty());
    var ended = ends.peek();
    assertThat(ended).isNotNull();
    assertThat(ended.outcome()).isEqualTo(Outcome.STOP);
    assertThat(ended.timeToFirstToken()).contains(Duration.ofMillis(10));
    assertThat(ended.timePerOutputToken()).contains(Duration.ofMillis(10));
    assertThat(ended.usage().completionTokens()).isEqualTo(5);
  }

  @Test
  void preemptionKeepsTheAnswers() {
    // Two of these together need more than the twelve blocks there are.
    var small = new DeviceLoop("small", new Observer(), settings(0), nanos::get);
    var fake = new FakeDecoder(12, 8, DeviceLoopTest::hashedLogits);
    var options = new DecoderOptions(512, 12, 16, 4, 4);
    try (small) {
      var instance = small.add(REVISION, fake, new ByteTokenizer(), options);
      var alone = new ArrayList<List<Integer>>();
      for (int i = 0; i < 3; i++) {
        alone.add(longRequest(i).run(instance).ids());
      }
      assertThat(preemptions.get()).isZero();

      var together = new ArrayList<RecordingListener>();
      for (int i = 0; i < 3; i++) {
        together.add(longRequest(i).submitTo(instance));
      }

      for (int i = 0; i < 3; i++) {
        assertThat(together.get(i).await().ids()).isEqualTo(alone.get(i));
      }
      assertThat(preemptions.get()).isPositive();
      assertThat(instance.load().blocksActual()).isZero();
    }
  }

  private static Requests longRequest(int number) {
    return Requests.ask("prompt " + number).maxTokens(60).ignoringEnd().seed(number);
  }

  // What the tests are made of.

  private FakeDecoder fake(Function<int[], float[]> model) {
    return new FakeDecoder(BLOCKS, 8, model);
  }

  private static FakeDecoder decoderWith(FakeDecoder decoder, Gate gate) {
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

  private DecoderInstance add(FakeDecoder decoder, DecoderOptions options) {
    return engine.add(REVISION, decoder, new ByteTokenizer(), options);
  }

  private DecoderInstance decoder(Function<int[], float[]> model, DecoderOptions options) {
    return add(fake(model), options);
  }

  private DecoderInstance answering(String text) {
    return decoder(history -> answer(history, text), options(4, 4));
  }

  private static DecoderOptions options(int maxSequences, int maxWaiting) {
    return new DecoderOptions(512, BLOCKS, 16, maxSequences, maxWaiting);
  }

  private float[] answer(int[] history) {
    return answer(history, "echo");
  }

  /// The next byte of `text`, counted from the answer token; then the end token.
  private static float[] answer(int[] history, String text) {
    int start = history.length;
    while (history[start - 1] != ByteTokenizer.ANSWER) {
      start--;
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int index = history.length - start;
    return index < bytes.length ? logits(bytes[index] & 0xff) : onlyEnd();
  }

  private static float[] onlyEnd() {
    return logits(ByteTokenizer.END);
  }

  private static float[] logits(int token) {
    float[] logits = new float[ByteTokenizer.VOCABULARY];
    logits[token] = 10;
    return logits;
  }

  /// Logits that depend on every token before.
  private static float[] hashedLogits(int[] history) {
    var random = new SplittableRandom(Arrays.hashCode(history));
    float[] logits = new float[ByteTokenizer.VOCABULARY];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextDouble(-5, 5);
    }
    return logits;
  }

  private static boolean holds(StepBatch batch, int token) {
    return batch.entries().stream()
        .anyMatch(entry -> Arrays.stream(entry.tokens()).anyMatch(t -> t == token));
  }

  private static Rejected.Code rejection(DecoderInstance instance, Requests request) {
    return switch (instance.submit(request.build(), new RecordingListener())) {
      case Submission.Admitted _ -> throw new AssertionError("it was admitted");
      case Rejected(var code, var message) -> {
        assertThat(message).isNotBlank();
        yield code;
      }
    };
  }

  private static void awaitUntil(BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the condition came true in time").isLessThan(end);
      Thread.onSpinWait();
    }
  }

  /// Holds up every step, but the first few, until it is opened.
  private static final class Gate implements Consumer<StepBatch> {
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
