package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.backend.ForwardingDecoder;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.Engine.Submission.Rejected;
import dev.weft.runtime.engine.EngineObserver.Outcome;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.sampling.SampledToken;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The loop over scripted models: failures, turns, pace and ends.
@Timeout(60)
class DeviceLoopTest extends DeviceLoopFixture {
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
    var failing =
        new ForwardingDecoder(fake(this::answer)) {
          @Override
          public void releaseBlocks(int[] blocks) {
            throw new IllegalStateException("release");
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
                instanceof Rejected(var code, _, _)
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
    // Of a stream that has just begun the next tokens are due soonest.
    for (int i = 8; i < 40; i++) {
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
              long took = batch.rowCount() * Duration.ofMillis(5).toNanos();
              longest.accumulateAndGet(took, Math::max);
              nanos.addAndGet(took);
            });
    var instance = add(decoder, TestOptions.of(512, BLOCKS, 500, 4, 4));

    var end = Requests.ask("x".repeat(400)).run(instance);

    assertThat(end.text()).isEqualTo("echo");
    assertThat(Duration.ofNanos(longest.get())).isLessThanOrEqualTo(Duration.ofMillis(250));
    assertThat(decoder.mostRows()).as("it grows from the first few rows").isBetween(40, 50);
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
}
