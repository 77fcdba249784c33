package dev.weft.autoscaler.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class SyntheticTraceTest {
  private static final SyntheticTrace TRACE =
      new SyntheticTrace(20_000, 100, 600, 800, 200, 0.9, 4, 0);

  @Test
  void hasTheCallsAndLengthsAskedFor() {
    Trace trace = TRACE.make(new Random(1));
    assertThat(trace.calls()).hasSize(20_000);
    assertThat(trace.functions()).hasSize(100);
    assertThat(trace.lastNanos()).isLessThanOrEqualTo(600_000_000_000L);
    assertThat(trace.calls().stream().mapToInt(Trace.Call::promptTokens).average().orElse(0))
        .isCloseTo(800, within(40.0));
    assertThat(trace.calls().stream().mapToInt(Trace.Call::answerTokens).average().orElse(0))
        .isCloseTo(200, within(10.0));
  }

  @Test
  void theFirstFunctionsAreCalledMore() {
    Trace trace = TRACE.make(new Random(1));
    long first = trace.calls().stream().filter(call -> call.function() == 0).count();
    long last = trace.calls().stream().filter(call -> call.function() == 99).count();
    assertThat(first).isGreaterThan(20 * last);
    assertThat(last).isPositive();
  }

  /// Twenty calls of each of ten functions in ten minutes: one in thirty seconds.
  @Test
  void timersCallAtEvenIntervals() {
    Trace trace = new SyntheticTrace(200, 10, 600, 800, 200, 0, 1, 1).make(new Random(1));
    long[] last = new long[10];
    int even = 0;
    for (Trace.Call call : trace.calls()) {
      long gap = call.atNanos() - last[call.function()];
      even += gap > 19_000_000_000L && gap < 41_000_000_000L ? 1 : 0;
      last[call.function()] = call.atNanos();
    }
    assertThat(even).isGreaterThan(140);
  }

  @Test
  void theSameSeedMakesTheSame() {
    assertThat(TRACE.make(new Random(5))).isEqualTo(TRACE.make(new Random(5)));
    assertThat(TRACE.make(new Random(5))).isNotEqualTo(TRACE.make(new Random(6)));
  }

  @Test
  void impossibleTracesAreRefused() {
    assertThatThrownBy(() -> new SyntheticTrace(0, 1, 1, 1, 1, 0, 1, 0))
        .hasMessageContaining("0 requests");
    assertThatThrownBy(() -> new SyntheticTrace(1, 1, 1, 1, 1, 0, 0.5, 0))
        .hasMessageContaining("burst 0.5");
  }
}
