package dev.weft.autoscaler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.simulation.ForecastCheck.Outcome;
import dev.weft.autoscaler.simulation.ForecastCheck.Setting;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class ForecastCheckTest {
  private static final long TOKEN = 50_000_000L;

  private static Outcome run(long seed, long capacity, double confidence, boolean bounded) {
    return run(seed, new Setting(capacity, TOKEN, confidence, bounded, false));
  }

  private static Outcome run(long seed, Setting setting) {
    return ForecastCheck.run(TestScenarios.trace(new Random(seed), 6, 600, 600), setting);
  }

  @Test
  void missesNoMoreThanTheConfidenceAllows() {
    for (double confidence : new double[] {0.9, 0.95, 0.99}) {
      Outcome outcome = run(3, 8_000, confidence, false);
      assertThat(outcome.events()).as("memory runs out").isGreaterThan(30);
      assertThat(outcome.missShare()).isLessThanOrEqualTo(1 - confidence);
    }
  }

  @Property(tries = 20)
  void missesNothingWhereLengthsAreBounded(@ForAll long seed) {
    assertThat(run(seed, 8_000, 1, true).misses()).isZero();
  }

  @Test
  void moreConfidenceCostsMoreFalseAlarms() {
    assertThat(run(3, 8_000, 0.99, false).falseAlarms())
        .isGreaterThan(run(3, 8_000, 0.9, false).falseAlarms());
  }

  /// Where requests enter by what they are expected to need, memory runs out less often, and fewer
  /// of the moments at which it does not are alarms.
  @Test
  void aPoolThatIsNotFilledWithPromptsIsToldApart() {
    Outcome filled = run(3, 8_000, 0.9, false);
    Outcome admitted = run(3, new Setting(8_000, TOKEN, 0.9, false, true));
    assertThat(admitted.events()).isLessThan(filled.events() / 2);
    assertThat(admitted.falseAlarmShare()).isLessThan(filled.falseAlarmShare() / 2);
  }

  @Test
  void enoughMemoryNeverRunsOut() {
    Outcome outcome = run(3, 10_000_000, 0.99, false);
    assertThat(outcome.events()).isZero();
    assertThat(outcome.alarms()).isZero();
  }
}
