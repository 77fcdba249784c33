package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.ServiceLevel;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class LatencyWatchTest {
  private static final long TTFT = Duration.ofSeconds(2).toNanos();
  private static final long TPOT = Duration.ofMillis(100).toNanos();

  private final LatencyWatch watch =
      new LatencyWatch(new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(100)));

  @Test
  void whatIsPromisedIsNeitherSlowNorLate() {
    watch.begin();
    watch.first(TTFT);
    watch.next(TPOT);

    assertThat(watch.late()).isFalse();
    assertThat(watch.slow()).isFalse();
  }

  @Test
  void oneLateTokenOfAStepCounts() {
    watch.begin();
    watch.first(TTFT + 1);
    watch.first(0);

    assertThat(watch.late()).isTrue();
    assertThat(watch.slow()).as("a first token's wait is not one between tokens").isFalse();
  }

  @Test
  void oneSlowTokenOfAStepCounts() {
    watch.begin();
    watch.next(TPOT + 1);
    watch.next(1);

    assertThat(watch.slow()).isTrue();
    assertThat(watch.late()).isFalse();
  }

  @Test
  void eachStepIsJudgedAlone() {
    watch.begin();
    watch.first(TTFT + 1);
    watch.next(TPOT + 1);

    watch.begin();

    assertThat(watch.late()).isFalse();
    assertThat(watch.slow()).isFalse();
  }
}
