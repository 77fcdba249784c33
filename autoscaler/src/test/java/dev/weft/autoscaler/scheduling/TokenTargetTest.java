package dev.weft.autoscaler.scheduling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.ServiceLevel;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class TokenTargetTest {
  private static final long MILLI = 1_000_000;
  private final TokenTarget byLength = TokenTarget.byPromptLength();

  @Test
  void aLongPromptHasMoreTime() {
    assertThat(byLength.firstNanos(10)).isEqualTo(500 * MILLI);
    assertThat(byLength.firstNanos(1_024)).isEqualTo(2_000 * MILLI);
    assertThat(byLength.firstNanos(10_240)).isEqualTo(20_000 * MILLI);
  }

  @Test
  void aManifestsServiceLevelHoldsForAnyPrompt() {
    TokenTarget target = TokenTarget.of(ServiceLevel.DEFAULT);
    assertThat(target.firstNanos(10)).isEqualTo(target.firstNanos(100_000));
    assertThat(target.tokenNanos()).isEqualTo(ServiceLevel.DEFAULT.tpot().toNanos());
  }

  @Test
  void aColdStartMovesTheFirstTokenAlone() {
    assertThat(byLength.firstDeadline(7, 10, 1_000 * MILLI)).isEqualTo(7 + 1_500 * MILLI);
    assertThat(byLength.nextDeadline(100, 3)).isEqualTo(100 + 750 * MILLI);
  }

  @Test
  void aimsEarlier() {
    assertThat(byLength.times(0.5).firstNanos(1_024))
        .isBetween(1_000 * MILLI - 1_024, 1_000 * MILLI);
    assertThat(byLength.times(0.5).mostFirstNanos()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void impossibleTargetsAreRefused() {
    assertThatThrownBy(() -> new TokenTarget(5, 0, 4, 1)).hasMessageContaining("at most 4");
    assertThat(TokenTarget.of(new ServiceLevel(Duration.ofMillis(1), Duration.ofMillis(1))))
        .isNotNull();
  }
}
