package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.sampling.SamplingParameters;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// On a device that runs ahead everything holds that holds on others, and steps are submitted
/// before the tokens of those before them have been read, whenever that helps.
@Timeout(60)
class StepsAheadTest extends DeviceLoopFixture {
  @Nested
  class Devices extends DeviceLoopTest {
    @Override
    FakeDecoder fake(int blocks, Function<int[], float[]> model) {
      return super.fake(blocks, model).runningAhead();
    }
  }

  @Nested
  class Decoders extends DecoderLoopTest {
    @Override
    FakeDecoder fake(int blocks, Function<int[], float[]> model) {
      return super.fake(blocks, model).runningAhead();
    }
  }

  @Nested
  class Admissions extends AdmissionTest {
    @Override
    FakeDecoder fake(int blocks, Function<int[], float[]> model) {
      return super.fake(blocks, model).runningAhead();
    }
  }

  @Nested
  class Elastic extends ElasticEngineTest {
    @Override
    FakeDecoder fake(int blocks) {
      return super.fake(blocks).runningAhead();
    }
  }

  private final AtomicInteger steps = new AtomicInteger();

  @Override
  FakeDecoder fake(int blocks, Function<int[], float[]> model) {
    return super.fake(blocks, model).runningAhead().beforeStep(_ -> steps.incrementAndGet());
  }

  private static Requests tenTokens() {
    return Requests.ask("hi").maxTokens(10).ignoringEnd();
  }

  @Test
  void nothingIsSubmittedPastTheLastToken() {
    var decoder = fake(DeviceLoopFixture::hashedLogits);
    var instance = add(decoder, options(4, 4));

    assertThat(tenTokens().run(instance).finishReason()).isEqualTo(FinishReason.LENGTH);

    assertThat(steps).hasValue(10);
    assertThat(decoder.stepsAhead()).as("all but the prompt and the step after it").isEqualTo(8);
  }

  @Test
  void whatFollowsTheEndTokenIsComputedInVain() {
    var decoder = fake(this::answer);
    var instance = add(decoder, options(4, 4));

    assertThat(Requests.ask("hi").run(instance).text()).isEqualTo("echo");

    awaitUntil(() -> steps.get() == 6);
    assertThat(decoder.stepsAhead()).isEqualTo(4);
    assertThat(instance.load().blocksActual()).isZero();
    assertThat(Requests.ask("hi").run(instance).text()).isEqualTo("echo");
  }

  @Test
  void whatTheHostMakesOfTokensIsWaitedFor() {
    var decoder = fake(DeviceLoopFixture::hashedLogits);
    var instance = add(decoder, options(4, 4));

    var penalized = new SamplingParameters(1, 0, 1, 0, 0, 0.5, 1, Map.of(), 3, -1);
    assertThat(tenTokens().sampling(penalized).run(instance).ids()).hasSize(10);
    assertThat(tenTokens().guessing(4).run(instance).ids()).hasSize(10);

    assertThat(decoder.stepsAhead()).isZero();
  }

  /// Of several the one with the end token leaves, and the others go on in the step that was
  /// submitted with it.
  @Test
  void theOthersGoOnWhenOneEnds() {
    var decoder = fake(history -> history[0] == 'e' ? answer(history) : hashedLogits(history));
    var instance = add(decoder, options(4, 8));
    var requests =
        List.of(
            Requests.ask("x").maxTokens(40).ignoringEnd().seed(1),
            Requests.ask("e"),
            Requests.ask("y").maxTokens(30).ignoringEnd(),
            Requests.ask("z").maxTokens(40).ignoringEnd().seed(2));
    var alone = requests.stream().map(request -> request.run(instance).ids()).toList();
    int before = decoder.stepsAhead();

    var together = requests.stream().map(request -> request.submitTo(instance)).toList();

    assertThat(together.stream().map(listener -> listener.await().ids()).toList()).isEqualTo(alone);
    assertThat(decoder.stepsAhead() - before).isGreaterThan(20);
  }

  /// A step fails while the next one is under way, which knows none of its tokens then.
  @Test
  void whatIsBehindAStepThatFailsIsForgotten() {
    var decoder =
        fake(DeviceLoopFixture::hashedLogits)
            .beforeStep(batch -> {
              if (steps.incrementAndGet() % 7 == 0 && batch.entries().size() > 1) {
                throw new IllegalStateException("now and then");
              }
            });
    var instance = add(decoder, options(4, 8));
    var requests = new ArrayList<Requests>();
    for (int i = 0; i < 4; i++) {
      requests.add(Requests.ask("prompt " + i).maxTokens(60).ignoringEnd().seed(i));
    }
    var alone = requests.stream().map(request -> request.run(instance).ids()).toList();

    var together = requests.stream().map(request -> request.submitTo(instance)).toList();

    assertThat(together.stream().map(listener -> listener.await().ids()).toList()).isEqualTo(alone);
    assertThat(failedSteps.get()).isGreaterThan(2);
  }

  @Test
  void aLonelyRequestWhoseStepFailsAheadEnds() {
    var decoder =
        fake(DeviceLoopFixture::hashedLogits)
            .beforeStep(_ -> {
              if (steps.incrementAndGet() == 5) {
                throw new IllegalStateException("the fifth");
              }
            });
    var instance = add(decoder, options(4, 4));

    var end = tenTokens().run(instance);

    assertThat(end.code()).isEqualTo(GenerationError.Code.INTERNAL);
    assertThat(end.ids()).hasSize(4);
    assertThat(decoder.stepsAhead()).isPositive();
    assertThat(instance.load().blocksActual()).isZero();
    assertThat(tenTokens().run(instance).ids()).hasSize(10);
  }

  /// While a step of one is under way, another gets work: that step is ended first.
  @Test
  void anotherInstanceComesAfterTheStepUnderWay() {
    var listener = new RecordingListener();
    var ahead = fake(DeviceLoopFixture::hashedLogits);
    var first = add(ahead, options(4, 4));
    var other = fake(this::answer);
    var second = add(other, options(4, 4));
    var late = new RecordingListener();
    listener.onFirstToken(
        () -> assertThat(second.submit(Requests.ask("b").build(), late)).isNotNull());
    first.submit(Requests.ask("a").maxTokens(100).ignoringEnd().build(), listener);

    assertThat(late.await().text()).isEqualTo("echo");
    assertThat(listener.await().ids()).hasSize(100);
    assertThat(ahead.stepsAhead()).isGreaterThan(50);
    assertThat(other.stepsAhead()).as("of one beside another").isZero();
  }

  /// A step takes from the end of the one before, not from its submission.
  @Test
  void timesOfStepsDoNotOverlap() {
    var times = new ConcurrentLinkedQueue<Duration>();
    var observer =
        new EngineObserver() {
          @Override
          public void onStep(RevisionId revision, Step step) {
            times.add(step.duration());
          }
        };
    var decoder =
        fake(DeviceLoopFixture::hashedLogits)
            .beforeStep(_ -> nanos.addAndGet(Duration.ofMillis(10).toNanos()));
    try (var timed = new DeviceLoop("timed", observer, settings(256), SwapSpace.NONE, nanos::get)) {
      var instance =
          timed.add(
              new RevisionId(new FunctionName("timed"), 1),
              decoder,
              new ByteTokenizer(),
              options(4, 4));
      tenTokens().run(instance);
    }

    assertThat(decoder.stepsAhead()).isEqualTo(8);
    assertThat(times).hasSize(10).containsOnly(Duration.ofMillis(10));
  }

  @Test
  void aRequestThatComesRunsAfterTheStepUnderWay() {
    var decoder = fake(DeviceLoopFixture::hashedLogits);
    var instance = add(decoder, options(4, 4));
    var second = new RecordingListener();
    var first = new RecordingListener();
    var admitted = new AtomicInteger();
    first.onFirstToken(() -> {
      if (instance.submit(tenTokens().build(), second) instanceof Submission.Admitted) {
        admitted.incrementAndGet();
      }
    });
    instance.submit(Requests.ask("x").maxTokens(20).ignoringEnd().build(), first);

    assertThat(first.await().ids()).hasSize(20);
    assertThat(second.await().ids()).isEqualTo(tenTokens().run(instance).ids());
    assertThat(admitted).hasValue(1);
  }

  /// It is stopped with a step under way: what is kept is what was told.
  @Test
  void whatIsKeptOfAStoppedSequenceIsWhatItWasTold() {
    var decoder = fake(DeviceLoopFixture::hashedLogits);
    var instance = add(decoder, options(4, 4));
    var listener = new RecordingListener();
    instance.submit(Requests.ask("hi").maxTokens(400).ignoringEnd().build(), listener);
    awaitUntil(() -> decoder.stepsAhead() > 10);

    assertThat(instance.stop()).isTrue();

    var end = listener.await();
    KvExport kept = end.error().orElseThrow().kept().orElseThrow();
    assertThat(kept.tokens()).isEqualTo(3 + end.ids().size() - 1);
    kept.close();
    instance.close();
    assertThat(decoder.closed()).isTrue();
  }
}
