package dev.weft.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ScheduleTest {
  @Test
  void requestsAreDueEvenlyAndKeepTheRateOverALongTime() {
    Schedule schedule = Schedule.lasting(3_000, 10);
    assertThat(schedule.requests()).isEqualTo(30_000);
    assertThat(schedule.dueNanos(0)).isZero();
    assertThat(schedule.dueNanos(1)).isEqualTo(333_333);
    assertThat(schedule.dueNanos(29_999)).isEqualTo(9_999_666_667L);
  }

  @Test
  void noRequestsAreNoLoad() {
    assertThatThrownBy(() -> Schedule.lasting(1, 0.1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Schedule(0, 1)).isInstanceOf(IllegalArgumentException.class);
  }
}
