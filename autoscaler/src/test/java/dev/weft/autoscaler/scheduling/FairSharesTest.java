package dev.weft.autoscaler.scheduling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class FairSharesTest {
  private static final long SECOND = 1_000_000_000L;

  @Test
  void timeCountsForItsWeightAndIsForgotten() {
    FairShares shares = new FairShares(1, 2);
    shares.used(0, 8 * SECOND, 0);
    shares.used(1, 8 * SECOND, 0);
    assertThat(shares.got(0, 0)).isEqualTo(8);
    assertThat(shares.got(1, 0)).isEqualTo(4);
    assertThat(shares.got(0, 300 * SECOND)).isCloseTo(4, within(1e-9));
    shares.used(0, SECOND, 300 * SECOND);
    assertThat(shares.got(0, 600 * SECOND)).isCloseTo(2.5, within(1e-9));
  }

  @Test
  void timeIsForgottenAsFastAsSaid() {
    FairShares shares = FairShares.forgetting(SECOND, 1);
    shares.used(0, 8 * SECOND, 0);
    assertThat(shares.got(0, 2 * SECOND)).isCloseTo(2, within(1e-9));
  }

  @Test
  void thePlaceOfTheFirstIsOwedAndThenOneInTen() {
    FairShares shares = new FairShares(1);
    assertThat(shares.owed(0)).as("nobody came").isFalse();
    shares.arrived(0);
    assertThat(shares.owed(0)).isTrue();
    shares.placed(0);
    for (int i = 1; i < 10; i++) {
      shares.arrived(0);
      assertThat(shares.owed(0)).isFalse();
    }
    shares.arrived(0);
    assertThat(shares.owed(0)).isTrue();
  }

  @Test
  void weightsArePositive() {
    assertThatThrownBy(() -> new FairShares(1, 0)).hasMessageContaining("weight");
  }
}
