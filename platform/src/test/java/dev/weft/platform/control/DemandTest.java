package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
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

  @Test
  void callsThatComeRegularlyAreExpectedWhicheverGatewayTheyComeTo() {
    Demand demand = new Demand();
    Instant now = Instant.EPOCH;
    Duration minute = Duration.ofMinutes(1);
    for (int i = 0; i < 6; i++) {
      now = now.plus(minute);
      demand.called(F, now);
      now = now.plus(minute);
      demand.report("other", Map.of(), Set.of(), Set.of(F), now);
    }
    assertThat(demand.soon(F, minute.multipliedBy(2), now)).isEqualTo(1);
    assertThat(demand.soon(F, Duration.ofSeconds(1), now)).isZero();
    assertThat(demand.soon(new FunctionName("g"), minute, now)).as("nobody calls it").isZero();

    assertThat(demand.takeCalled()).containsExactly(F);
    assertThat(demand.takeCalled()).as("they were told").isEmpty();
    demand.keep(Set.of());
    assertThat(demand.soon(F, minute.multipliedBy(2), now)).as("it was deleted").isZero();
  }

  @Test
  void knowsSinceWhenSomebodyWaitsWithoutAPause() {
    Demand demand = new Demand();
    assertThat(demand.heldSince(F)).isEmpty();
    demand.tryHold(F, 2);
    Instant since = demand.heldSince(F).orElseThrow();
    demand.tryHold(F, 2);
    demand.release(F);
    assertThat(demand.heldSince(F)).as("the one who came later waits on").contains(since);
    demand.release(F);
    assertThat(demand.heldSince(F)).isEmpty();
    demand.report("one", Map.of(F, 2), Set.of(), Set.of(), Instant.EPOCH);
    assertThat(demand.heldSince(F)).contains(Instant.EPOCH);
  }

  @Test
  void anotherGatewaysWaitersCountWhileItGoesOnReporting() {
    Demand demand = new Demand();
    Instant now = Instant.EPOCH;
    demand.report("one", Map.of(F, 2), Set.of(), Set.of(), now);
    assertThat(demand.waitedFor(F, now.plusSeconds(5))).isTrue();
    assertThat(demand.waitedFor(F, now.plusSeconds(6))).isFalse();
    assertThat(demand.held(F)).as("limits are each gateway's own").isZero();
    demand.report("one", Map.of(), Set.of(F), Set.of(), now.plusSeconds(1));
    assertThat(demand.waitedFor(F, now.plusSeconds(1))).isFalse();
    assertThat(demand.crowded(F, now.plusSeconds(2))).isTrue();
  }
}
