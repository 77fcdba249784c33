package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class LengthForecastTest {
  private final LengthForecast prior = new LengthForecast();

  @Test
  void aFunctionWithoutAHistoryIsAsThePrior() {
    var fresh = new LengthForecast(prior);
    assertThat(fresh.survival(100)).isEqualTo(prior.survival(100));
    assertThat(fresh.quantile(0.9, 0, 2_048)).isEqualTo(prior.quantile(0.9, 0, 2_048));
  }

  @Test
  void ownAnswersOverrideThePrior() {
    var own = new LengthForecast(prior);
    for (int i = 0; i < 200; i++) {
      own.saw(32);
    }
    assertThat(own.quantile(0.9, 0, 2_048)).isEqualTo(32);
    assertThat(own.survival(33)).isLessThan(0.05);
  }

  @Test
  void whatWasProducedMovesTheForecast() {
    var own = new LengthForecast(prior);
    for (int i = 0; i < 300; i++) {
      own.saw(i % 2 == 0 ? 16 : 512);
    }
    assertThat(own.quantile(0.4, 0, 2_048)).isLessThanOrEqualTo(32);
    assertThat(own.quantile(0.5, 20, 2_048)).isGreaterThanOrEqualTo(256);
  }

  @Test
  void followsAFunctionThatChanges() {
    var own = new LengthForecast(prior);
    for (int i = 0; i < 1_000; i++) {
      own.saw(16);
    }
    for (int i = 0; i < 1_000; i++) {
      own.saw(400);
    }
    assertThat(own.quantile(0.5, 0, 2_048)).isBetween(400, 512);
  }

  @Test
  void certaintyIsTheMost() {
    assertThat(prior.quantile(1, 5, 77)).isEqualTo(77);
    assertThatThrownBy(() -> prior.quantile(1.1, 0, 9)).hasMessageContaining("1.1");
  }

  @Property(tries = 200)
  void survivalFallsAndQuantilesRise(
      @ForAll long seed,
      @ForAll @IntRange(max = 2_000) int tokens,
      @ForAll @DoubleRange(min = 0, max = 0.99) double confidence) {
    var own = new LengthForecast(prior);
    var random = new Random(seed);
    for (int i = 0; i < 60; i++) {
      own.saw(1 + random.nextInt(1_500));
    }
    assertThat(own.survival(tokens + 1)).isLessThanOrEqualTo(own.survival(tokens) + 1e-9);
    assertThat(own.survival(tokens)).isBetween(0.0, 1.0);
    int quantile = own.quantile(confidence, 0, 4_096);
    assertThat(own.quantile(Math.min(1, confidence + 0.01), 0, 4_096))
        .isGreaterThanOrEqualTo(quantile);
    assertThat(own.survival(quantile)).isLessThanOrEqualTo(1 - confidence + 1e-5);
  }
}
