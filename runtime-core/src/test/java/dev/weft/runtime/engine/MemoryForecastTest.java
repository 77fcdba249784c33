package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.ServiceLevel;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.memory.SwapSpace;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Eight sequences of 50 tokens and more, in a memory for 512. The clock goes on by 50 ms a step;
/// by the profile a token takes 10 ms.
@Timeout(60)
class MemoryForecastTest extends DeviceLoopFixture {
  private static final int SEQUENCES = 8;

  private final DeviceLoop loop =
      new DeviceLoop("forecast", new Observer(), settings(0), SwapSpace.NONE, nanos::get);
  private Gate gate = new Gate(12);

  @AfterEach
  void closeLoop() {
    gate.open();
    loop.close();
  }

  private DecoderInstance instance() {
    var table =
        new PerformanceTable(
            List.of(new PrefillTime(8, 100)),
            List.of(new DecodeRow(64, List.of(new DecodeTime(1, 10), new DecodeTime(8, 10)))));
    var level = new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(200));
    return loop.add(
        REVISION,
        fake(this::answer)
            .beforeStep(batch -> {
              nanos.addAndGet(Duration.ofMillis(50).toNanos());
              gate.accept(batch);
            }),
        new ByteTokenizer(),
        new DecoderOptions(
            512, BLOCKS, 64, 8, 8, level, StepProfile.of(Optional.of(table), _ -> {})));
  }

  private List<RecordingListener> ask(DecoderInstance instance, int maxTokens) {
    var answers = new ArrayList<RecordingListener>();
    loop.call(() -> {
      for (int i = 0; i < SEQUENCES; i++) {
        // No two begin alike: what they had in common they would share.
        String text = (char) ('a' + i) + "x".repeat(47);
        answers.add(Requests.ask(text).maxTokens(maxTokens).ignoringEnd().submitTo(instance));
      }
    });
    return answers;
  }

  @Test
  void itsEndIsSeenBeforeItComesAndForgottenWhenNobodyRuns() {
    List<RecordingListener> answers = ask(instance(), 200);
    gate.awaitArrival();

    assertThat(loop.kvLasts())
        .hasValueSatisfying(
            lasts -> assertThat(lasts).isBetween(Duration.ZERO, Duration.ofSeconds(2)));
    assertThat(preemptions).as("nobody has lost anything yet").hasValue(0);

    gate.open();
    answers.forEach(RecordingListener::await);
    assertThat(preemptions).as("and it comes").hasPositiveValue();
    awaitUntil(() -> loop.kvLasts().isEmpty());
  }

  @Test
  void answersThatAreBoundToEndInTimeRaiseNoAlarm() {
    gate = new Gate(7);
    List<RecordingListener> answers = ask(instance(), 4);
    gate.awaitArrival();

    assertThat(loop.kvLasts()).isEmpty();

    gate.open();
    answers.forEach(RecordingListener::await);
    assertThat(preemptions).hasValue(0);
  }
}
