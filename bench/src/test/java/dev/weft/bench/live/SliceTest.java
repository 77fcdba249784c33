package dev.weft.bench.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.autoscaler.simulation.Trace.NamedCall;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SliceTest {
  /// A call a second for a minute, of as many functions as there are names.
  private static Trace trace(int functions) {
    List<NamedCall> calls = new ArrayList<>();
    for (int i = 0; i <= 60; i++) {
      calls.add(new NamedCall("f" + i % functions, i, 100 * (i + 1), i + 1));
    }
    return Trace.of(calls);
  }

  @Test
  void eachRoundIsAStretchOfItsOwnFasterAndShorter() {
    Slice slice = new Slice(10, 2, 4);
    List<Trace.Call> first = slice.of(trace(8), 0).calls();
    List<Trace.Call> second = slice.of(trace(8), 1).calls();

    assertThat(first).hasSize(20);
    assertThat(first.getFirst()).isEqualTo(new Trace.Call(0, first.getFirst().function(), 25, 1));
    assertThat(first.get(1).atNanos()).isEqualTo(500_000_000);
    assertThat(second).hasSize(20);
    assertThat(second.getFirst().atNanos()).isZero();
    assertThat(second.getFirst().answerTokens()).as("of the 21st call").isEqualTo(6);
  }

  @Test
  void noPromptIsSoLongThatItsFirstTokenIsDueLater() {
    List<Trace.Call> calls = new Slice(60, 1, 1).of(trace(8), 0).calls();
    assertThat(calls)
        .allSatisfy(call ->
            assertThat(LiveFunction.PROMISE.firstNanos(call.promptTokens()))
                .isEqualTo(LiveFunction.PROMISE.firstNanos(1)));
    assertThat(calls.getLast().promptTokens()).isEqualTo(Slice.MOST_PROMPT_TOKENS);
  }

  @Test
  void aTraceWithoutFunctionsIsSpreadOverEightAndOneWithManyIsThinned() {
    assertThat(new Slice(60, 1, 1).of(trace(1), 0).functions()).hasSizeLessThanOrEqualTo(8);
    assertThat(new Slice(60, 1, 1).of(trace(1), 0).calls()).hasSize(60);
    assertThat(new Slice(60, 1, 1).of(trace(16), 0).functions()).hasSize(8);
    assertThat(new Slice(60, 1, 1).of(trace(16), 0).calls()).hasSizeLessThan(60);
  }

  @Test
  void aTraceThatIsTooShortIsRefused() {
    assertThatThrownBy(() -> new Slice(10, 2, 1).of(trace(8), 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("round 4");
  }

  @Test
  void tracesComeAsJson() throws Exception {
    ObjectMapper json = new ObjectMapper();
    Trace trace = trace(8);
    assertThat(json.readValue(json.writeValueAsString(trace), Trace.class)).isEqualTo(trace);
  }
}
