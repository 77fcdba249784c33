package dev.weft.autoscaler.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.autoscaler.profile.RefinedProfile.Margin;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class RefinedProfileTest {
  private static final long MILLI = 1_000_000;

  private final RefinedProfile profile =
      new RefinedProfile(MeasuredProfileTest.table(), Margin.NONE);

  @Test
  void addsTheMargin() {
    var careful = new RefinedProfile(MeasuredProfileTest.table(), new Margin(1.5, 2));
    assertThat(careful.prefillNanos(256)).isEqualTo(45 * MILLI);
    assertThat(careful.decodeNanos(8, 8 * 512)).isEqualTo(56 * MILLI);
  }

  @Test
  void followsADeviceThatBecomesThreeTimesSlowerWithinTwentySteps() {
    for (int i = 0; i < 20; i++) {
      profile.sawDecode(8, 8 * 512, 3 * 28 * MILLI);
    }
    assertThat(profile.decodeNanos(8, 8 * 512)).isCloseTo(84 * MILLI, within(8 * MILLI));
    // What was not seen is taken to be slower too, less surely.
    assertThat(profile.decodeNanos(1, 512)).isBetween(28 * MILLI, 45 * MILLI);
    assertThat(profile.prefillNanos(256)).isEqualTo(30 * MILLI);
  }

  @Test
  void oneStepThatTookAHundredTimesAsLongMovesItByLessThanATenth() {
    profile.sawPrefill(256, 3_000 * MILLI);
    assertThat(profile.prefillNanos(256)).isBetween(30 * MILLI, 33 * MILLI);
  }

  @Test
  void returnsWhenTheDeviceRecovers() {
    for (int i = 0; i < 50; i++) {
      profile.sawDecode(8, 8 * 512, 3 * 28 * MILLI);
    }
    for (int i = 0; i < 50; i++) {
      profile.sawDecode(8, 8 * 512, 28 * MILLI);
    }
    assertThat(profile.decodeNanos(8, 8 * 512)).isCloseTo(28 * MILLI, within(MILLI));
  }

  @Test
  void learnsWhereATableIsWrongInOnePlace() {
    for (int i = 0; i < 2_000; i++) {
      profile.sawDecode(1, 512, 14 * MILLI);
      profile.sawDecode(8, 8 * 512, 42 * MILLI);
    }
    assertThat(profile.decodeNanos(1, 512)).isCloseTo(14 * MILLI, within(MILLI));
    assertThat(profile.decodeNanos(8, 8 * 512)).isCloseTo(42 * MILLI, within(2 * MILLI));
  }

  @Test
  void itsTableMakesTheSameProfileAgain() {
    for (int i = 0; i < 50; i++) {
      profile.sawDecode(8, 8 * 512, 2 * 28 * MILLI);
      profile.sawPrefill(256, 15 * MILLI);
    }
    var again = new MeasuredProfile(profile.table());
    assertThat(again.decodeNanos(8, 8 * 512))
        .isCloseTo(profile.decodeNanos(8, 8 * 512), within(10L));
    assertThat(again.prefillNanos(256)).isCloseTo(profile.prefillNanos(256), within(10L));
  }

  @Property
  void staysWithinItsBoundsWhateverItSees(
      @ForAll @LongRange(min = -10, max = Long.MAX_VALUE) long nanos) {
    for (int i = 0; i < 300; i++) {
      profile.sawPrefill(256, nanos);
    }
    assertThat(profile.prefillNanos(256)).isBetween(30 * MILLI / 16 - 1, 30 * MILLI * 16 + 1);
  }
}
