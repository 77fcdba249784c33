package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.ServiceLevel;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/// Steps take, by the engine's clock, what [#nanos] says.
class StepProbeTest extends DeviceLoopFixture {
  private static final int CONTEXT = 256;

  private final BlockingQueue<PerformanceTable> kept = new LinkedBlockingQueue<>();
  private final AtomicLong rowNanos = new AtomicLong(1_000_000);
  private final AtomicInteger steps = new AtomicInteger();

  /// A millisecond a row, and a microsecond for each token before it.
  private long nanos(StepBatch batch) {
    long nanos = 0;
    for (var entry : batch.entries()) {
      nanos += entry.tokens().length * (rowNanos.get() + 1_000L * entry.position());
    }
    return nanos;
  }

  private DecoderInstance measured(StepProfile profile) {
    return measured(profile, BLOCKS);
  }

  private DecoderInstance measured(StepProfile profile, int blocks) {
    var decoder =
        fake(history -> history[0] == 0 ? onlyEnd() : answer(history, "ok"))
            .beforeStep(batch -> {
              steps.incrementAndGet();
              nanos.addAndGet(nanos(batch));
            });
    var options = new DecoderOptions(CONTEXT, blocks, 48, 20, 4, ServiceLevel.DEFAULT, profile);
    return add(decoder, options);
  }

  private StepProfile unknown() {
    return StepProfile.of(Optional.empty(), kept::add);
  }

  private void pass(Duration time) {
    nanos.addAndGet(time.toNanos());
  }

  @Test
  void measuresWhileNobodyCalls() throws InterruptedException {
    StepProfile profile = unknown();
    measured(profile);
    assertThat(profile.table()).isEmpty();

    pass(Duration.ofSeconds(1));

    PerformanceTable table = kept.take();
    assertThat(table.prefill())
        .extracting(PrefillTime::tokens)
        .containsExactly(16, 48, 64, CONTEXT - 1);
    assertThat(table.prefill().subList(0, 2))
        .containsExactly(new PrefillTime(16, 16), new PrefillTime(48, 48));
    assertThat(table.prefill().get(2).millis())
        .as("48 rows after 16 tokens take 48.768 ms, and 64 rows are a third more than 48")
        .isCloseTo(64.0 / 48 * (48 + 48.768) / 2, within(1e-9));
    assertThat(table.prefill().get(3).millis())
        .isCloseTo(255.0 / 48 * (48 + 48 * 1.207) / 2, within(1e-9));
    assertThat(table.decode())
        .containsExactly(
            new DecodeRow(
                64,
                List.of(
                    new DecodeTime(1, 1.064),
                    new DecodeTime(4, 4.256),
                    new DecodeTime(16, 17.024),
                    new DecodeTime(20, 21.28))),
            new DecodeRow(
                CONTEXT - 1,
                List.of(
                    new DecodeTime(1, 1.248),
                    new DecodeTime(4, 4.992),
                    new DecodeTime(16, 19.968),
                    new DecodeTime(20, 24.96))));
    assertThat(profile.table()).contains(table);
    assertThat(profile.times().orElseThrow().prefillNanos(16)).isBetween(17_599_999L, 17_600_001L);
  }

  @Test
  void leavesOutWhatWouldTakeLongAndKeepsNoBlocks() throws InterruptedException {
    rowNanos.set(10_000_000);
    DecoderInstance instance = measured(unknown());
    pass(Duration.ofSeconds(1));

    PerformanceTable table = kept.take();

    assertThat(table.prefill()).extracting(PrefillTime::tokens).containsExactly(16);
    assertThat(table.decode().getFirst().times())
        .extracting(DecodeTime::batch)
        .containsExactly(1, 4);
    assertThat(instance.load().blocksActual()).isZero();
    var listener = new RecordingListener();
    instance.submit(Requests.ask("say").build(), listener);
    assertThat(listener.await().text()).isEqualTo("ok");
  }

  @Test
  void ofAPromptThatWouldTakeLongTheLastPieceTells() throws InterruptedException {
    rowNanos.set(4_000_000);
    measured(unknown());
    pass(Duration.ofSeconds(1));

    List<PrefillTime> prefill = kept.take().prefill();

    assertThat(prefill).extracting(PrefillTime::tokens).containsExactly(16, 48, 64, CONTEXT - 1);
    assertThat(prefill.getFirst().millis()).isEqualTo(64);
    assertThat(prefill.get(1).millis()).isCloseTo(3 * (64 + 16 * 4.032) / 2, within(1e-9));
    assertThat(prefill.getLast().millis())
        .isCloseTo(255.0 / 16 * (64 + 16 * 4.239) / 2, within(1e-9));
  }

  @Test
  void leavesOutWhatThereIsNoMemoryFor() throws InterruptedException {
    // Of 8 tokens: eight that all sequences share, and one for each.
    measured(unknown(), 20);
    pass(Duration.ofSeconds(1));

    PerformanceTable table = kept.take();

    assertThat(table.prefill()).extracting(PrefillTime::tokens).containsExactly(16, 48, 64);
    assertThat(table.decode().getFirst().times())
        .extracting(DecodeTime::batch)
        .containsExactly(1, 4);
  }

  @Test
  void doesNotMeasureWhatIsKnown() {
    var table =
        new PerformanceTable(
            List.of(new PrefillTime(8, 8)),
            List.of(new DecodeRow(8, List.of(new DecodeTime(1, 2)))));
    StepProfile profile = StepProfile.of(Optional.of(table), kept::add);
    measured(profile);

    pass(Duration.ofSeconds(1));
    for (int i = 0; i < 3; i++) {
      engine.call(() -> {}); // Between the first and the last of these the engine was idle.
    }

    assertThat(steps.get()).isZero();
    assertThat(profile.table()).contains(table);
  }

  @Test
  void followsStepsThatTakeLonger() throws InterruptedException {
    StepProfile profile = unknown();
    DecoderInstance instance = measured(profile);
    pass(Duration.ofSeconds(1));
    PerformanceTable before = kept.take();

    rowNanos.set(3_000_000);
    for (int i = 0; i < 100; i++) {
      var listener = new RecordingListener();
      instance.submit(Requests.ask("go on").build(), listener);
      listener.await();
    }

    double slower = decodeMillis(profile.table().orElseThrow()) / decodeMillis(before);
    assertThat(slower).isBetween(2.5, 3.3);
    profile.keep();
    assertThat(kept.take()).isNotEqualTo(before);
  }

  private static double decodeMillis(PerformanceTable table) {
    return table.decode().getFirst().times().getFirst().millis();
  }
}
