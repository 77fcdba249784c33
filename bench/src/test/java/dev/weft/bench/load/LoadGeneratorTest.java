package dev.weft.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// What is counted is what happened.
class LoadGeneratorTest {
  private static final long MILLI = 1_000_000;

  private static long[] pieces(long... millis) {
    return Arrays.stream(millis).map(at -> at * MILLI).toArray();
  }

  @Test
  void aWaitThatBeganBeforeThePromptCounts() {
    assertThat(LoadGenerator.largestGap(pieces(0, 10, 400, 410), 50 * MILLI, 405 * MILLI))
        .isEqualTo(390);
  }

  @Test
  void aWaitThatWasOverBeforeThePromptDoesNotCount() {
    assertThat(LoadGenerator.largestGap(pieces(0, 300, 310, 320), 305 * MILLI, 320 * MILLI))
        .isEqualTo(10);
  }

  /// A stream that still stands when the prompt is answered has waited at least so long.
  @Test
  void aStreamThatStandsStillToTheEndCounts() {
    assertThat(LoadGenerator.largestGap(pieces(0, 10, 20), 15 * MILLI, 900 * MILLI)).isEqualTo(880);
  }

  @Test
  void aStreamThatEndedBeforeThePromptIsNoMeasurement() {
    assertThatThrownBy(() -> LoadGenerator.largestGap(pieces(0, 10), 15 * MILLI, 20 * MILLI))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void noTwoPromptsBeginAlike() {
    Prompts prompts = new Prompts();
    assertThat(prompts.next(16)[0]).isNotEqualTo(prompts.next(16)[0]);
  }

  @Test
  void metersOfOneNameAreSummedByTheirLabels() {
    Meters meters =
        Meters.parse(
            """
            # HELP rows Rows
            rows_sum{kind="decode",function="a"} 3.0
            rows_sum{kind="prefill",function="a"} 40.0
            rows_sum_other{kind="decode"} 7.0
            plain 1.0E3
            """);
    assertThat(meters.sum("rows_sum", "kind=\"decode\"")).isEqualTo(3);
    assertThat(meters.sum("rows_sum")).isEqualTo(43);
    assertThat(meters.sum("plain")).isEqualTo(1000);
    assertThat(meters.sum("absent")).isZero();
  }
}
