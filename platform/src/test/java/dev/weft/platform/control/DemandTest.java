package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import org.junit.jupiter.api.Test;

class DemandTest {
  private static final FunctionName F = new FunctionName("f");

  @Test
  void holdsNoMoreThanTheLimitAndCountsWhoLeaves() {
    Demand demand = new Demand();
    assertThat(demand.tryHold(F, 2)).isTrue();
    assertThat(demand.tryHold(F, 2)).isTrue();
    assertThat(demand.tryHold(F, 2)).isFalse();
    assertThat(demand.held(F)).isEqualTo(2);
    demand.release(F);
    assertThat(demand.tryHold(F, 2)).isTrue();
    demand.release(F);
    demand.release(F);
    assertThat(demand.total()).isZero();
    assertThat(demand.tryHold(F, 0)).isFalse();
  }
}
