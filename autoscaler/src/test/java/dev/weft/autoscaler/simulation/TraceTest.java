package dev.weft.autoscaler.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.autoscaler.simulation.Trace.Call;
import dev.weft.autoscaler.simulation.Trace.NamedCall;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TraceTest {
  private final Trace trace =
      Trace.of(
          List.of(
              new NamedCall("rare", 12, 5, 6),
              new NamedCall("often", 11, 3, 4),
              new NamedCall("often", 10, 1, 2)));

  @Test
  void ordersCallsAndNumbersFunctionsByTheirCalls() {
    assertThat(trace.functions()).containsExactly("often", "rare");
    assertThat(trace.calls())
        .containsExactly(
            new Call(0, 0, 1, 2),
            new Call(1_000_000_000, 0, 3, 4),
            new Call(2_000_000_000, 1, 5, 6));
    assertThat(trace.lastNanos()).isEqualTo(2_000_000_000);
  }

  @Test
  void takesEveryNthFunction() {
    assertThat(trace.withFunctions(1).functions()).containsExactly("rare");
    assertThat(trace.withFunctions(1).calls()).containsExactly(new Call(2_000_000_000, 0, 5, 6));
    assertThatThrownBy(() -> trace.withFunctions(3)).hasMessageContaining("3 functions");
  }

  @Test
  void spreadsOneStreamOverManyFunctions() {
    Trace many = TestScenarios.trace(new Random(1), 1, 1_000, 10).spreadOver(10, new Random(2));
    assertThat(many.calls()).hasSize(1_000);
    assertThat(many.functions()).hasSize(10);
    long first = many.calls().stream().filter(call -> call.function() == 0).count();
    assertThat(first).isBetween(250L, 450L);
  }

  @Test
  void comesFaster() {
    assertThat(trace.faster(2).lastNanos()).isEqualTo(1_000_000_000);
  }

  @Test
  void impossibleCallsAreRefused() {
    assertThatThrownBy(() -> new Call(0, 0, 0, 1)).hasMessageContaining("0 and 1");
    assertThatThrownBy(() -> new Trace(List.of("a"), List.of(new Call(0, 1, 1, 1))))
        .hasMessageContaining("function 1 of 1");
  }
}
