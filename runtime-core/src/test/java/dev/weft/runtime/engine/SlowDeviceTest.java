package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.weft.functions.ServiceLevel;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.sampling.SampledToken;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A device that becomes three times slower than its profile says, and as fast as before again. By
/// the engine's clock a step takes what the profile says, times [#slowness]; promised are tokens
/// that 21 sequences get at the device's own speed, and 7 at a third of it, with the margin of a
/// tenth that decisions keep. What was learned is not exact, so that one more or less may be
/// admitted; whoever is admitted is kept.
@Timeout(60)
class SlowDeviceTest extends DeviceLoopFixture {
  private static final int ASKING = 40;
  private static final int AT_FULL_SPEED = 21;
  private static final int AT_A_THIRD = 7;

  private static final int ANSWER_TOKENS = 24;
  private static final double PROMPT_ROW_MILLIS = 1;
  private static final double SEQUENCE_MILLIS = 5;
  private static final ServiceLevel PROMISE =
      new ServiceLevel(Duration.ofSeconds(4), Duration.ofMillis(120));

  private final StepProfile profile = StepProfile.of(Optional.of(table()), _ -> {});
  private final AtomicReference<Consumer<StepBatch>> held = new AtomicReference<>(_ -> {});
  private volatile double slowness = 1;
  private final DecoderInstance instance = instance();

  private static PerformanceTable table() {
    List<DecodeTime> times =
        List.of(new DecodeTime(1, SEQUENCE_MILLIS), new DecodeTime(64, 64 * SEQUENCE_MILLIS));
    return new PerformanceTable(
        List.of(new PrefillTime(1, PROMPT_ROW_MILLIS), new PrefillTime(64, 64 * PROMPT_ROW_MILLIS)),
        List.of(new DecodeRow(64, times), new DecodeRow(512, times)));
  }

  private DecoderInstance instance() {
    var decoder =
        new FakeDecoder(256, 8, _ -> logits('x'))
            .beforeStep(batch -> {
              held.get().accept(batch);
              nanos.addAndGet(takes(batch));
            });
    return add(decoder, new DecoderOptions(512, 256, 64, 64, 64, PROMISE, profile));
  }

  private long takes(StepBatch batch) {
    double millis = 0;
    for (var entry : batch.entries()) {
      millis += entry.position() == 0 ? entry.tokens().length * PROMPT_ROW_MILLIS : SEQUENCE_MILLIS;
    }
    return (long) (millis * slowness * 1e6);
  }

  @Test
  void admitsAsManyAsTheDeviceServesInTimeWhateverItsSpeed() throws InterruptedException {
    assertThat(askAtOnce()).isEqualTo(new Answer(AT_FULL_SPEED, AT_FULL_SPEED));

    slowness = 3;
    Answer unaware = askAtOnce();
    assertThat(unaware.admitted()).as("nothing was seen yet").isEqualTo(AT_FULL_SPEED);
    assertThat(unaware.kept()).isZero();
    keepsAll(AT_A_THIRD);

    slowness = 1;
    keepsAll(AT_FULL_SPEED);
  }

  /// What a profile is asked for is renewed after 64 steps, fewer than two rounds of answers.
  private void keepsAll(int admitted) throws InterruptedException {
    List<Answer> seen = new ArrayList<>();
    for (int round = 0; round < 12; round++) {
      Answer answer = askAtOnce();
      seen.add(answer);
      if (Math.abs(answer.admitted() - admitted) <= 1 && answer.kept() == answer.admitted()) {
        return;
      }
    }
    fail("not about %d admitted, and all kept: %s", admitted, seen);
  }

  /// What became of requests that came at once.
  ///
  /// @param kept of those admitted, how many got all tokens as promised
  private record Answer(int admitted, int kept) {}

  /// All of them wait for the end of one step, and are decided on one after the other.
  private Answer askAtOnce() throws InterruptedException {
    var gate = new Gate();
    held.set(gate);
    RecordingListener first = Requests.ask("hold").maxTokens(1).submitTo(instance);
    gate.awaitArrival();
    held.set(_ -> {});
    List<Caller> callers = new ArrayList<>();
    for (int i = 0; i < ASKING; i++) {
      callers.add(new Caller(nanos.get()));
    }
    callers.forEach(caller -> awaitUntil(caller::waits));
    gate.open();
    first.await();
    for (Caller caller : callers) {
      caller.end();
    }
    return new Answer(
        (int) callers.stream().filter(Caller::admitted).count(),
        (int) callers.stream().filter(Caller::kept).count());
  }

  /// Asks for an answer that is in time, and notes when its tokens come.
  private final class Caller implements GenerationListener {
    private final long askedAt;
    private final Thread thread;
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile boolean admitted;
    private volatile long firstAt;
    private volatile long lastAt;

    Caller(long askedAt) {
      this.askedAt = askedAt;
      thread = Thread.ofPlatform().start(this::ask);
    }

    private void ask() {
      var request = Requests.ask("abcdef").maxTokens(ANSWER_TOKENS).ignoringEnd().build();
      admitted = instance.submitInTime(request, this) instanceof Submission.Admitted;
    }

    boolean waits() {
      return thread.getState() == Thread.State.WAITING;
    }

    boolean admitted() {
      return admitted;
    }

    void end() throws InterruptedException {
      thread.join();
      if (admitted) {
        ended.await();
      }
    }

    boolean kept() {
      return admitted
          && firstAt - askedAt < PROMISE.ttft().toNanos()
          && (lastAt - firstAt) / (ANSWER_TOKENS - 1) < PROMISE.tpot().toNanos();
    }

    @Override
    public void onTokens(String text, List<SampledToken> tokens) {
      lastAt = nanos.get();
      firstAt = firstAt == 0 ? lastAt : firstAt;
    }

    @Override
    public void onFinish(FinishReason reason, Usage usage) {
      ended.countDown();
    }

    @Override
    public void onError(GenerationError error) {
      ended.countDown();
    }
  }
}
