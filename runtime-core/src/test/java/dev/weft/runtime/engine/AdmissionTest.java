package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.ServiceLevel;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.Engine.Submission.Rejected;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What is let in and what is refused. Of those that are to be in time the first token is promised
/// within two seconds, and a prompt of eight tokens takes one.
@Timeout(60)
class AdmissionTest extends DeviceLoopFixture {
  private final Gate gate = new Gate();

  private static StepProfile profile(double prompt, double token) {
    var table =
        new PerformanceTable(
            List.of(new PrefillTime(8, prompt)),
            List.of(
                new DecodeRow(64, List.of(new DecodeTime(1, token), new DecodeTime(8, token)))));
    return StepProfile.of(Optional.of(table), _ -> {});
  }

  private DecoderInstance instance(StepProfile profile) {
    var level = new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(200));
    return add(
        fake(this::answer).beforeStep(gate),
        new DecoderOptions(512, BLOCKS, 16, 8, 8, level, profile));
  }

  private static Submission inTime(DecoderInstance instance) {
    return instance.submitInTime(Requests.ask("abcdef").build(), new RecordingListener());
  }

  @Test
  void refusesWhatCanNeverWork() {
    var instance = decoder(history -> onlyEnd(), TestOptions.of(100, 4, 16, 4, 4));

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
  void refusesWhatWouldBeLate() {
    gate.open();
    DecoderInstance slow = instance(profile(3_000, 10));

    Submission refused = inTime(slow);

    assertThat(refused)
        .isInstanceOfSatisfying(
            Rejected.class,
            rejected -> {
              assertThat(rejected.code()).isEqualTo(Rejected.Code.NOT_IN_TIME_PROMPTS);
              assertThat(rejected.message()).contains("late");
              assertThat(rejected.values()).containsOnlyKeys("lateSeconds", "lateAloneSeconds");
              assertThat(rejected.values().get("lateSeconds")).isCloseTo(1.31, within(0.05));
            });
    assertThat(slow.load().busy()).isFalse();
    assertThat(Requests.ask("abcdef").run(slow).text())
        .as("who does not ask for that waits as long as it takes")
        .isEqualTo("echo");
  }

  @Test
  void refusesWhatWouldMakeTokensLate() {
    gate.open();

    assertThat(inTime(instance(profile(10, 250))))
        .isInstanceOfSatisfying(
            Rejected.class,
            rejected ->
                assertThat(rejected.code()).isEqualTo(Rejected.Code.NOT_IN_TIME_DECODE_SHARE));
  }

  @Test
  void anotherInstancesWorkCounts() throws InterruptedException {
    DecoderInstance busy = instance(profile(700, 1));
    DecoderInstance other = instance(profile(700, 1));
    assertThat(inTime(busy)).isInstanceOf(Submission.Admitted.class);
    gate.awaitArrival();
    // All of these wait for the step under way.
    busy.submit(Requests.ask("ghijkl").build(), new RecordingListener());
    busy.submit(Requests.ask("mnopqr").build(), new RecordingListener());
    var answer = new AtomicReference<Submission>();
    Thread third = Thread.ofPlatform().start(() -> answer.set(inTime(other)));
    awaitUntil(() -> third.getState() == Thread.State.WAITING);

    gate.open();
    third.join();

    assertThat(answer.get())
        .isInstanceOfSatisfying(
            Rejected.class,
            rejected -> assertThat(rejected.code()).isEqualTo(Rejected.Code.NOT_IN_TIME_PROMPTS));
  }

  @Test
  void whatItWaitedElsewhereCounts() {
    gate.open();
    DecoderInstance instance = instance(profile(1_000, 10));

    Submission refused =
        instance.submitInTime(
            Requests.ask("abcdef").build().waited(Duration.ofMillis(1_900)),
            new RecordingListener());

    assertThat(refused)
        .isInstanceOfSatisfying(
            Rejected.class,
            rejected -> assertThat(rejected.values()).containsKey("lateAloneSeconds"));
    assertThat(inTime(instance)).isInstanceOf(Submission.Admitted.class);
  }

  @Test
  void thoseThatAreLateAlreadyDoNotCount() throws InterruptedException {
    DecoderInstance busy = instance(profile(700, 1));
    assertThat(inTime(busy)).isInstanceOf(Submission.Admitted.class);
    gate.awaitArrival();
    for (String late : List.of("ghijkl", "mnopqr")) {
      busy.submit(
          Requests.ask(late).build().waited(Duration.ofSeconds(3)), new RecordingListener());
    }
    assertThat(askedWhileItComputes(busy)).isInstanceOf(Submission.Admitted.class);
  }

  /// By the clock, which stands still, the stream has got its tokens at once: the next is due more
  /// than a second later, and until then the device has time for a prompt.
  @Test
  void aStreamThatIsAheadLeavesItsTimeToPrompts() throws InterruptedException {
    var later = new Gate(9);
    var level = new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(200));
    DecoderInstance instance =
        add(
            fake(this::answer).beforeStep(later),
            new DecoderOptions(512, BLOCKS, 16, 8, 8, level, profile(1_200, 100)));
    Requests.ask("abcdef").maxTokens(40).ignoringEnd().submitTo(instance);
    later.awaitArrival();
    Submission answer = askedWhileItComputes(instance, later);
    assertThat(answer).isInstanceOf(Submission.Admitted.class);
  }

  private Submission askedWhileItComputes(DecoderInstance instance) throws InterruptedException {
    return askedWhileItComputes(instance, gate);
  }

  /// What it says to one that comes during a step, which then ends.
  private static Submission askedWhileItComputes(DecoderInstance instance, Gate step)
      throws InterruptedException {
    var answer = new AtomicReference<Submission>();
    Thread asking = Thread.ofPlatform().start(() -> answer.set(inTime(instance)));
    awaitUntil(() -> asking.getState() == Thread.State.WAITING);
    step.open();
    asking.join();
    return answer.get();
  }

  @Test
  void admitsWhatIsInTimeAndWhatNothingIsKnownOf() {
    gate.open();

    assertThat(inTime(instance(profile(100, 10)))).isInstanceOf(Submission.Admitted.class);
    assertThat(inTime(instance(StepProfile.none()))).isInstanceOf(Submission.Admitted.class);
  }
}
