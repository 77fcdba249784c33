package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.engine.GenerationListener.Usage;
import dev.weft.runtime.sampling.LogProbabilities;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.server.GenerationEvents.Event;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class GenerationEventsTest {
  private static final int MAX_PENDING_BYTES = 1_000;

  private final AtomicInteger wakes = new AtomicInteger();
  private final AtomicInteger overflows = new AtomicInteger();
  private final GenerationEvents events =
      new GenerationEvents(
          2, MAX_PENDING_BYTES, wakes::incrementAndGet, overflows::incrementAndGet);

  @Test
  void manyEventsWakeOnce() {
    events.listener(0).onTokens("a", List.of());
    events.listener(1).onTokens("b", List.of());

    assertThat(wakes.get()).isEqualTo(1);
    assertThat(events.take()).hasSize(2);
    events.listener(0).onTokens("c", List.of());
    assertThat(wakes.get()).isEqualTo(2);
  }

  @Test
  void aSlowClientIsLeftAloneUntilAllHasEnded() {
    SampledToken first = LogProbabilities.unscored(1);
    SampledToken second = LogProbabilities.unscored(2);
    events.stall();
    events.listener(0).onTokens("a", List.of(first));
    events.listener(0).onTokens("b", List.of(second));
    events.listener(0).onTokens("the end's", List.of());
    events.listener(0).onFinish(FinishReason.LENGTH, new Usage(1, 0, 2));

    assertThat(wakes.get()).isZero();
    assertThat(events.allEnded()).isFalse();

    // The model is unloaded: who unloads it waits for this request, not for its client.
    events.listener(1).onError(new GenerationError(GenerationError.Code.UNLOADED, "unloaded"));

    assertThat(wakes.get()).isEqualTo(1);
    assertThat(events.allEnded()).isTrue();
    assertThat(events.take())
        .hasSize(4)
        .startsWith(
            new Event.Text(0, "ab", List.of(first, second)),
            new Event.Text(0, "the end's", List.of()));
  }

  @Test
  void theLastEndWakesThoughItComesBetweenTheLookAndTheStall() {
    events.listener(0).onFinish(FinishReason.STOP, new Usage(1, 0, 1));
    assertThat(wakes.get()).isEqualTo(1);

    // The event loop has been woken, has seen that the client is slow, and is about to stall.
    events.listener(1).onFinish(FinishReason.STOP, new Usage(1, 0, 1));
    events.stall();

    assertThat(wakes.get()).isEqualTo(2);
  }

  @Test
  void anOverflowKeepsTheEnds() {
    events.listener(0).onTokens("x".repeat(MAX_PENDING_BYTES), List.of());
    events.listener(0).onTokens("y", List.of());
    events.listener(0).onFinish(FinishReason.STOP, new Usage(1, 0, 1));

    assertThat(overflows.get()).isEqualTo(1);
    assertThat(events.take()).hasSize(1).first().isInstanceOf(Event.Finished.class);
  }
}
