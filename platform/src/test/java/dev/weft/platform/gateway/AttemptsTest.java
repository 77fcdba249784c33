package dev.weft.platform.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.instance.DeviceId;
import org.junit.jupiter.api.Test;

class AttemptsTest {
  private final Attempts attempts = new Attempts();

  @Test
  void theLastRuntimeThatItMayBreakIsTheLastThatItGets() {
    for (int i = 1; i < Attempts.MAX_BREAKS; i++) {
      assertThat(attempts.broke()).isTrue();
    }
    assertThat(attempts.broke()).isFalse();
  }

  @Test
  void aStreamIsNotSentAroundForEver() {
    for (int i = 0; i < Attempts.MAX_MOVES; i++) {
      assertThat(attempts.moved()).isTrue();
    }
    assertThat(attempts.moved()).isFalse();
  }

  @Test
  void remembersAllThatRefused() {
    DeviceId first = new DeviceId("cpu-0");
    DeviceId second = new DeviceId("cpu-1");

    assertThat(attempts.refused(first, true)).containsExactly(first);
    assertThat(attempts.hopeless()).isTrue();
    assertThat(attempts.refused(second, false)).containsExactlyInAnyOrder(first, second);
    assertThat(attempts.hopeless()).as("the second could be in time later").isFalse();

    attempts.askAnew();
    assertThat(attempts.refused(second, true)).containsExactly(second);
    assertThat(attempts.hopeless()).isTrue();
  }
}
