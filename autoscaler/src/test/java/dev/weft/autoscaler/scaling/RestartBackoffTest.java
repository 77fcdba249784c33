package dev.weft.autoscaler.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.weft.autoscaler.scaling.RestartBackoff.Restart;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RestartBackoffTest {
  private static final Instant START = Instant.parse("2026-11-22T12:00:00Z");
  private static final RestartBackoff BACKOFF =
      new RestartBackoff(Duration.ofSeconds(1), Duration.ofSeconds(10), Duration.ofSeconds(60));

  @Test
  void doublesUpToTheCap() {
    List<Long> delays = new ArrayList<>();
    Instant startedAt = START;
    int failures = 0;
    for (int i = 0; i < 100; i++) {
      Instant died = startedAt.plusMillis(10);
      Restart restart = BACKOFF.afterExit(failures, startedAt, died);
      delays.add(Duration.between(died, restart.at()).toSeconds());
      failures = restart.failures();
      startedAt = restart.at();
    }
    assertThat(delays.subList(0, 6)).containsExactly(1L, 2L, 4L, 8L, 10L, 10L);
    assertThat(delays.getLast()).isEqualTo(10L);
    assertThat(failures).isEqualTo(100);
  }

  @Test
  void beginsAnewAfterAStableTime() {
    assertThat(BACKOFF.afterExit(7, START, START.plusSeconds(59)).failures()).isEqualTo(8);
    Instant died = START.plusSeconds(60);
    assertThat(BACKOFF.afterExit(7, START, died))
        .isEqualTo(
            new Restart(
                1, died.plusSeconds(1), "ran for 60s, exit 1 in a row; starts again in 1s"));
  }

  @Test
  void startsAgainWithinASecondByDefault() {
    Instant died = START.plusSeconds(5);
    assertThat(RestartBackoff.DEFAULT.afterExit(0, START, died).at()).isBefore(died.plusSeconds(1));
  }

  @Test
  void toleratesAClockThatWentBack() {
    Restart restart = BACKOFF.afterExit(0, START, START.minusSeconds(100));
    assertThat(restart.failures()).isEqualTo(1);
    assertThat(restart.reason()).startsWith("ran for 0s");
  }

  @Test
  void survivesAnyNumberOfFailures() {
    assertThat(BACKOFF.afterExit(Integer.MAX_VALUE - 1, START, START).at())
        .isEqualTo(START.plusSeconds(10));
    assertThat(BACKOFF.afterExit(Integer.MAX_VALUE, START, START).at())
        .isEqualTo(START.plusSeconds(10));
  }

  @Test
  void refusesPoliciesThatMeanNothing() {
    Duration second = Duration.ofSeconds(1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RestartBackoff(Duration.ZERO, second, second));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RestartBackoff(second, second.minusMillis(1), second));
  }
}
