package dev.weft.platform.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.platform.simulation.Runs.Configuration;
import java.util.List;
import org.junit.jupiter.api.Test;

class SpeedCaseTest {
  @Test
  void countsTheTimeOfASimulation() {
    var configuration = new Configuration(0, "3B", "gpu=2", "llm-mesh", List.of(), 1);
    SpeedCase speed =
        SpeedCase.of("requests=200,functions=5,seconds=60", Testbed.measured(), configuration);
    assertThat(speed.requests()).isEqualTo(200);
    assertThat(speed.wall()).isPositive();
    assertThat(speed.processor().isNegative()).isFalse();
    assertThat(speed.row()).hasSameSizeAs(SpeedCase.HEADINGS).contains("gpu=2", "200");
  }
}
