package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.backend.FakeArrival;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.sampling.LogProbabilities;
import dev.weft.runtime.sampling.SampledToken;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Requests to a scripted model, one or a few: what is told to whom, and what is left behind.
@Timeout(60)
class DecoderLoopTest extends DeviceLoopFixture {
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
  void preemptionKeepsTheAnswers() {
    // Two of these together need more than the twelve blocks there are.
    var small = new DeviceLoop("small", new Observer(), settings(0), SwapSpace.NONE, nanos::get);
    var fake = fake(12, DeviceLoopFixture::hashedLogits);
    var options = TestOptions.of(512, 12, 16, 4, 4);
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

  @Test
  void aStepBesideArrivingWeightsTakesAllRowsAndTeachesNothing() {
    var arrival = new FakeArrival();
    var rows = new LinkedBlockingQueue<Integer>();
    var decoder = fake(this::answer).arriving(arrival);
    var instance =
        add(
            decoder.beforeStep(batch -> rows.add(batch.rowCount())),
            TestOptions.of(512, BLOCKS, 64, 4, 4));
    Requests.ask("a".repeat(60)).maxTokens(1).run(instance);
    assertThat(rows).containsExactly(61);

    arrival.come();
    Requests.ask("b".repeat(60)).maxTokens(1).run(instance);
    rows.remove();
    assertThat(rows).startsWith(PrefillPace.FIRST_ROWS).hasSizeGreaterThan(1);
  }

  /// One runs at a time, and the second that comes has lost its deadline where it waited before.
  @Test
  void whoIsLateAlreadyLetsThosePassWhoCanBeInTime() {
    var gate = new Gate();
    DecoderInstance instance = add(fake(this::answer).beforeStep(gate), options(1, 8));
    var ended = new LinkedBlockingQueue<String>();
    instance.submit(Requests.ask("one").build(), noting("running", ended));
    gate.awaitArrival();
    instance.submit(
        Requests.ask("two").build().waited(Duration.ofMinutes(1)), noting("late", ended));
    instance.submit(Requests.ask("three").build(), noting("in time", ended));
    instance.submit(Requests.ask("four").build(), noting("in time too", ended));

    gate.open();

    awaitUntil(() -> ended.size() == 4);
    assertThat(ended).containsExactly("running", "in time", "in time too", "late");
  }

  private static GenerationListener noting(String name, Queue<String> ended) {
    return new GenerationListener() {
      @Override
      public void onTokens(String text, List<SampledToken> tokens) {}

      @Override
      public void onFinish(FinishReason reason, Usage usage) {
        ended.add(name);
      }

      @Override
      public void onError(GenerationError error) {
        ended.add(name + " failed");
      }
    };
  }
}
