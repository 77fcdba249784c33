package dev.weft.platform.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.autoscaler.simulation.Trace.NamedCall;
import dev.weft.platform.simulation.Purpose.Outcome;
import dev.weft.platform.simulation.Runs.Configuration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PurposeTest {
  private final Testbed testbed = Testbed.measured();

  @Test
  void everyMechanismHasOneThatCanBeSimulated() {
    assertThat(Purpose.ALL)
        .extracting(Purpose::mechanism)
        .containsExactlyInAnyOrder(Mechanism.values());
    for (Purpose purpose : Purpose.ALL) {
      assertThat(purpose.configuration(true).without()).isEmpty();
      assertThat(purpose.configuration(false).without()).containsExactly(purpose.name());
      assertThat(testbed.devices(purpose.devices())).as(purpose.name()).isNotEmpty();
      if (!purpose.synthetic().isEmpty()) {
        assertThat(SyntheticOption.parse(purpose.synthetic()).requests()).isPositive();
      }
    }
  }

  /// Forty calls of four functions on one card, which is too little without sharing.
  private BenchCase simulated(List<String> without) {
    List<NamedCall> calls = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      calls.add(new NamedCall("f" + i % 4, i, 200, 100));
    }
    var configuration = new Configuration(0, "7B", "gpu=1", "llm-mesh", without, 1);
    SimulationResult result = new Runs(Trace.of(calls), testbed).run(configuration).result();
    return new BenchCase("purposes", "calls", "", configuration, List.of(result));
  }

  @Test
  void saysWhatTheAbsenceOfAMechanismCosts() {
    BenchCase with = simulated(List.of());
    BenchCase without = simulated(List.of("sharing"));
    Purpose purpose = new Purpose(Mechanism.SHARING, "few calls", "", 4, "7B", "gpu=1", Figure.MET);
    assertThat(new Outcome(purpose, with, without).row())
        .startsWith("sharing", "few calls: 4 functions of the main trace, 7B on gpu=1")
        .contains("40 (40 to 40)");
    assertThat(new Outcome(purpose, with, without).row().getLast())
        .matches("[0-9.]+ %")
        .doesNotStartWith("0.0");
    assertThat(new Outcome(purpose, with, with).row().getLast()).isEqualTo("0.0 % (MISSED)");
  }

  @Test
  void moreOfWhatIsSpentIsACost() {
    BenchCase with = simulated(List.of());
    BenchCase without = simulated(List.of("sharing"));
    assertThat(Figure.MET.cost(with, without)).isPositive();
    assertThat(Figure.WITHOUT_ANY.cost(without, with)).isNotPositive();
    assertThat(Figure.DEVICES.cost(with, with)).isZero();
  }
}
