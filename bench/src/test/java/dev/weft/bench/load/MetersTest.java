package dev.weft.bench.load;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MetersTest {
  @Test
  void readsWhatPrometheusWrites() {
    Meters meters =
        Meters.parse(
            """
            # TYPE steps counter
            steps_total{function="a",kind="decode"} 3.0
            steps_total{function="b",kind="decode"} 1.5E2
            steps_total{function="b",kind="prefill"} 7
            headroom_seconds{function="a"} +Inf
            """);

    assertThat(meters.sum("steps_total", "kind=\"decode\"")).isEqualTo(153);
    assertThat(meters.sum("headroom_seconds")).isInfinite();
    assertThat(meters.sum("steps")).isZero();
  }
}
