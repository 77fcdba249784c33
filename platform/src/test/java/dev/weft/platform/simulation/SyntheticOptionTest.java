package dev.weft.platform.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.autoscaler.simulation.SyntheticTrace;
import org.junit.jupiter.api.Test;

class SyntheticOptionTest {
  @Test
  void readsPartsAndLeavesOthersAsTheyAre() {
    assertThat(SyntheticOption.parse("requests=1000000,functions=10000,skew=1.5"))
        .isEqualTo(new SyntheticTrace(1_000_000, 10_000, 1_800, 867, 220, 1.5, 4, 0));
    assertThat(SyntheticOption.parse("seconds=60,prompt=10,answer=20,burst=1,regular=1"))
        .isEqualTo(new SyntheticTrace(10_000, 128, 60, 10, 20, 0.9, 1, 1));
  }

  @Test
  void saysWhatIsWrong() {
    assertThatThrownBy(() -> SyntheticOption.parse("requests"))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("is not like requests=10000");
    assertThatThrownBy(() -> SyntheticOption.parse("days=1")).hasMessageContaining("there are");
    assertThatThrownBy(() -> SyntheticOption.parse("requests=x"))
        .hasMessageContaining("'requests=x'");
    assertThatThrownBy(() -> SyntheticOption.parse("requests=0.5")).hasMessageContaining("whole");
    assertThatThrownBy(() -> SyntheticOption.parse("requests=0"))
        .hasMessageContaining("0 requests");
  }
}
