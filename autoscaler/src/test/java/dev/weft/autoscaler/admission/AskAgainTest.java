package dev.weft.autoscaler.admission;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.admission.AskAgain.After;
import dev.weft.autoscaler.admission.AskAgain.TakesItsTurn;
import dev.weft.functions.ServiceLevel;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class AskAgainTest {
  private static AskAgain.Outcome decide(long ttftMillis, long waitedMillis, boolean hopeless) {
    var level = new ServiceLevel(Duration.ofMillis(ttftMillis), Duration.ofMillis(100));
    return AskAgain.decide(level, Duration.ofMillis(waitedMillis), hopeless);
  }

  private static After after(long millis) {
    return new After(Duration.ofMillis(millis));
  }

  @Test
  void asksAFewTimesUntilTheFirstTokenIsDue() {
    assertThat(decide(2_000, 3, false)).isEqualTo(after(500));
    assertThat(decide(2_000, 1_800, false)).as("the last time just then").isEqualTo(after(200));
    assertThat(decide(2_000, 2_000, false)).isEqualTo(TakesItsTurn.TAKES_ITS_TURN);
    assertThat(decide(100, 10, false)).as("not more often than that").isEqualTo(after(50));
  }

  @Test
  void whoCannotBeInTimeAnywhereHasNothingToWaitFor() {
    assertThat(decide(2_000, 0, true)).isEqualTo(TakesItsTurn.TAKES_ITS_TURN);
  }

  @Test
  void nobodyIsLeftWithoutAnAnswerForLong() {
    assertThat(decide(600_000, 0, false)).isEqualTo(after(2_500));
    assertThat(decide(600_000, 10_000, false)).isEqualTo(TakesItsTurn.TAKES_ITS_TURN);
  }
}
