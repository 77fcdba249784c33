package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.ServiceLevel;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// How much time an instance has left, by a profile of 100 ms a prompt and 10 ms a step, of which
/// decisions expect a tenth more. A first token is due within two seconds, each further one within
/// 200 ms.
@Timeout(60)
class HeadroomTest extends DeviceLoopFixture {
  private static final ServiceLevel LEVEL =
      new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(200));

  private Gate gate = new Gate();

  /// The engine waits for the step under way when it closes.
  @AfterEach
  void openGate() {
    gate.open();
  }

  private static StepProfile profile() {
    var table =
        new PerformanceTable(
            List.of(new PrefillTime(8, 100)),
            List.of(new DecodeRow(64, List.of(new DecodeTime(1, 10), new DecodeTime(8, 10)))));
    return StepProfile.of(Optional.of(table), _ -> {});
  }

  private DecoderInstance instance(StepProfile profile) {
    return add(
        fake(this::answer).beforeStep(gate),
        new DecoderOptions(512, BLOCKS, 16, 8, 8, LEVEL, profile));
  }

  private RecordingListener ask(DecoderInstance instance) {
    return Requests.ask("abcdef").submitTo(instance);
  }

  private static void expect(DecoderInstance instance, long millis) {
    assertThat(instance.load().headroom())
        .isCloseTo(Duration.ofMillis(millis), Duration.ofMillis(1));
  }

  @Test
  void promptsAreComputedOneAfterTheOther() {
    DecoderInstance instance = instance(profile());
    assertThat(instance.load().headroom()).as("nobody waits").isNull();
    var answers = new RecordingListener[2];
    // Both are there before the first step.
    engine.call(() -> {
      answers[0] = ask(instance);
      answers[1] = ask(instance);
    });
    gate.awaitArrival();

    expect(instance, 2_000 - 2 * 110);
    nanos.addAndGet(Duration.ofMillis(2_500).toNanos());
    expect(instance, 2_000 - 2 * 110 - 2_500);

    gate.open();
    answers[0].await();
    answers[1].await();
    awaitUntil(() -> instance.load().headroom() == null);
  }

  @Test
  void afterTheFirstTokenTheNextCounts() {
    gate = new Gate(1);
    DecoderInstance instance = instance(profile());
    RecordingListener answer = ask(instance);
    gate.awaitArrival();

    expect(instance, 200 - 11);

    gate.open();
    answer.await();
  }

  @Test
  void whatHasNotBeenMeasuredHasNone() {
    DecoderInstance instance = instance(StepProfile.none());
    RecordingListener answer = ask(instance);
    gate.awaitArrival();

    assertThat(instance.load().headroom()).isNull();

    gate.open();
    answer.await();
  }
}
