package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class StepPaceTest {
  private final StepPace pace = new StepPace(512);

  @Test
  void growsToAllRowsInAFewStepsOnAFastMachine() {
    assertThat(boundsAt(Duration.ofMillis(1), 5)).containsExactly(16, 64, 256, 512, 512);
  }

  @Test
  void aFullStepTakesAboutASecondOnASlowMachine() {
    assertThat(boundsAt(Duration.ofMillis(20), 4)).containsExactly(16, 50, 50, 50);
  }

  @Test
  void neverGoesBelowTheLeastRows() {
    assertThat(boundsAt(Duration.ofSeconds(1), 3)).containsExactly(16, 16, 16);
  }

  @Test
  void aStepThatTookTooLongMakesTheNextOneShorter() {
    boundsAt(Duration.ofMillis(1), 5);

    pace.took(512, Duration.ofSeconds(8).toNanos());

    assertThat(pace.rows()).isEqualTo(64);
  }

  @Test
  void noiseAndSmallStepsChangeNothing() {
    boundsAt(Duration.ofMillis(1), 5);
    pace.took(512, Duration.ofMillis(1_900).toNanos());
    assertThat(pace.rows()).isEqualTo(512);

    var fresh = new StepPace(512);
    fresh.took(1, Duration.ofMillis(1).toNanos());
    assertThat(fresh.rows()).isEqualTo(16);
  }

  @Test
  void aBoundBelowTheLeastRowsHolds() {
    var small = new StepPace(4);
    small.took(4, 0);
    small.took(4, Duration.ofSeconds(9).toNanos());

    assertThat(small.rows()).isEqualTo(4);
  }

  private List<Integer> boundsAt(Duration perRow, int steps) {
    var bounds = new ArrayList<Integer>();
    for (int i = 0; i < steps; i++) {
      bounds.add(pace.rows());
      pace.took(pace.rows(), pace.rows() * perRow.toNanos());
    }
    return bounds;
  }
}
