package dev.weft.autoscaler.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class ArrivalHistoryTest {
  private static final long SECOND = 1_000_000_000L;

  private final ArrivalHistory history = new ArrivalHistory();

  @Test
  void nothingIsSaidOfAFewCalls() {
    history.arrived(0);
    history.arrived(SECOND);
    assertThat(history.known()).isFalse();
    assertThat(history.within(1_000 * SECOND, SECOND)).isZero();
  }

  @Property
  void whatWasKeptSaysTheSame(@ForAll @IntRange(max = 40) int calls, @ForAll @IntRange int salt) {
    ArrivalHistory written = new ArrivalHistory();
    long now = 0;
    for (int i = 0; i < calls; i++) {
      now += (1 + (salt >>> (i % 16) & 7)) * SECOND;
      written.arrived(now);
    }
    ArrivalHistory read = new ArrivalHistory(written.state());
    for (int i = 0; i < 3; i++) {
      assertThat(read.known()).isEqualTo(written.known());
      assertThat(read.within(5 * SECOND, now + SECOND))
          .isCloseTo(written.within(5 * SECOND, now + SECOND), within(1e-9));
      now += 3 * SECOND;
      written.arrived(now);
      read.arrived(now);
    }
  }

  /// As if the earlier calls had come to it as well, but for the gap between the two.
  @Property
  void whatWasKnownEarlierCountsBeforeWhatCameSince(
      @ForAll @IntRange(min = 1, max = 30) int earlier, @ForAll @IntRange(max = 30) int later) {
    ArrivalHistory before = new ArrivalHistory();
    for (int i = 0; i < earlier; i++) {
      before.arrived(SECOND * i);
    }
    ArrivalHistory.State known = before.state();
    ArrivalHistory since = new ArrivalHistory();
    long begin = 1_000 * SECOND;
    for (int i = 0; i < later; i++) {
      since.arrived(begin + 60 * SECOND * i);
    }
    since.continues(known);
    double gapsOfThen = known.gaps().stream().mapToDouble(Double::doubleValue).sum();
    double gapsSince = Math.max(0, later - 1);
    double sum = since.state().gaps().stream().mapToDouble(Double::doubleValue).sum();
    double expected =
        gapsOfThen * Math.pow(0.98, gapsSince) + (1 - Math.pow(0.98, gapsSince)) / (1 - 0.98);
    assertThat(sum).isCloseTo(expected, within(1e-9));
    long last = later == 0 ? SECOND * (earlier - 1) : begin + 60 * SECOND * (later - 1);
    assertThat(since.state().lastAt()).isEqualTo(last);
  }

  @Test
  void aFunctionThatIsCalledEveryMinuteIsCalledWithinTheNext() {
    for (int i = 0; i < 10; i++) {
      history.arrived(60 * SECOND * i);
    }
    long last = 540 * SECOND;
    assertThat(history.within(10 * SECOND, last)).isCloseTo(0, within(1e-9));
    assertThat(history.within(110 * SECOND, last)).isCloseTo(1, within(1e-9));
    assertThat(history.within(20 * SECOND, last + 55 * SECOND)).isGreaterThan(0.3);
    assertThat(history.within(10 * SECOND, last + 500 * SECOND))
        .as("it is not called any more")
        .isZero();
  }

  /// Calls every four minutes, a quarter of a minute more or less.
  @Test
  void itIsLikelyToBeCalledShortlyBeforeItIs() {
    for (int i = 0; i < 10; i++) {
      history.arrived((240 * i + 15 * (i % 2)) * SECOND);
    }
    long last = (240 * 9 + 15) * SECOND;
    long likely = history.likely(0.5, 60 * SECOND, last + SECOND);
    assertThat(likely - last).isBetween(150 * SECOND, 240 * SECOND);
    assertThat(history.within(60 * SECOND, likely)).isGreaterThan(0.5);
    assertThat(history.likely(0.5, 60 * SECOND, likely)).isEqualTo(likely);
    assertThat(history.likely(0.5, 60 * SECOND, last + 400 * SECOND))
        .as("it should have been called long ago")
        .isEqualTo(Long.MAX_VALUE);
    assertThat(new ArrivalHistory().likely(0.5, SECOND, 0)).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void itFollowsCallersWhoChange() {
    for (int i = 0; i < 50; i++) {
      history.arrived(60 * SECOND * i);
    }
    long at = 60 * SECOND * 49;
    for (int i = 0; i < 200; i++) {
      at += SECOND;
      history.arrived(at);
    }
    assertThat(history.within(2 * SECOND, at)).isGreaterThan(0.9);
  }

  @Property
  void probabilitiesRiseWithTheTimeAhead(
      @ForAll @IntRange(min = 1, max = 200) int gap, @ForAll @IntRange(max = 300) int after) {
    ArrivalHistory any = new ArrivalHistory();
    for (int i = 0; i < 20; i++) {
      any.arrived((long) i * (gap + i % 3) * SECOND);
    }
    long now = 19L * (gap + 1) * SECOND + after * SECOND;
    double before = 0;
    for (int ahead = 0; ahead < 400; ahead += 7) {
      double within = any.within(ahead * SECOND, now);
      assertThat(within).isBetween(before - 1e-9, 1.0);
      before = within;
    }
  }
}
