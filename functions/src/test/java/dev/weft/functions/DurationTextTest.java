package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DurationTextTest {
  @ParameterizedTest
  @CsvSource({
    "500ms, PT0.5S, 500ms",
    "2s, PT2S, 2s",
    "5m, PT5M, 5m",
    "1h, PT1H, 1h",
    "90s, PT1M30S, 90s",
    "90m, PT1H30M, 90m",
    "1500ms, PT1.5S, 1500ms",
    "3600s, PT1H, 1h",
    "1000ms, PT1S, 1s",
    "0ms, PT0S, 0s",
    "PT0.0005S, PT0.0005S, PT0.0005S",
    "P1D, PT24H, 24h"
  })
  void readsBothFormsAndWritesTheShortOne(String text, Duration duration, String written) {
    assertThat(DurationText.parse(text)).isEqualTo(duration);
    assertThat(DurationText.format(duration)).isEqualTo(written);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "5", "5 m", "5d", "-5m", "1.5s", "5M", "m", "5m30s", "999999999999999999h"})
  void refusesWithTheRightForm(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DurationText.parse(text))
        .withMessageContaining("'%s' is not a duration: write 500ms, 2s, 5m, 1h", text);
  }

  @Test
  void writesExtremesInIso() {
    assertThat(DurationText.parse(DurationText.format(Duration.ofSeconds(Long.MAX_VALUE, 1))))
        .isEqualTo(Duration.ofSeconds(Long.MAX_VALUE, 1));
    assertThat(DurationText.format(Duration.ofMillis(-5))).isEqualTo("PT-0.005S");
  }

  @Property
  void readsWhatItWrites(
      @ForAll @LongRange(max = 1_000_000_000_000L) long seconds,
      @ForAll @LongRange(max = 999_999_999) long nanos) {
    Duration duration = Duration.ofSeconds(seconds, nanos);
    assertThat(DurationText.parse(DurationText.format(duration))).isEqualTo(duration);
    Duration whole = Duration.ofSeconds(seconds);
    assertThat(DurationText.parse(DurationText.format(whole))).isEqualTo(whole);
  }
}
