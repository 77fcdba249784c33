package dev.weft.autoscaler.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class MeasuredProfileTest {
  private static final long MILLI = 1_000_000;

  /// Prefill 128 tokens in 24 ms, 256 in 30, 512 in 50; decode as in `decode`.
  static PerformanceTable table() {
    return new PerformanceTable(
        List.of(new PrefillTime(128, 24), new PrefillTime(256, 30), new PrefillTime(512, 50)),
        List.of(
            new DecodeRow(512, List.of(new DecodeTime(1, 14), new DecodeTime(8, 28))),
            new DecodeRow(
                1_024,
                List.of(new DecodeTime(1, 16), new DecodeTime(8, 40), new DecodeTime(16, 60)))));
  }

  private final MeasuredProfile profile = new MeasuredProfile(table());

  @Test
  void givesWhatWasMeasured() {
    assertThat(profile.prefillNanos(256)).isEqualTo(30 * MILLI);
    assertThat(profile.decodeNanos(8, 8 * 512)).isEqualTo(28 * MILLI);
    assertThat(profile.decodeNanos(16, 16 * 1_024)).isEqualTo(60 * MILLI);
  }

  @Test
  void isConstantBeforeTheFirstPoint() {
    assertThat(profile.prefillNanos(1)).isEqualTo(24 * MILLI);
    assertThat(profile.decodeNanos(1, 10)).isEqualTo(14 * MILLI);
    assertThat(profile.prefillNanos(0)).isZero();
    assertThat(profile.decodeNanos(0, 0)).isZero();
  }

  @Test
  void interpolatesOverBatchAndContext() {
    assertThat(profile.prefillNanos(192)).isEqualTo(27 * MILLI);
    // Halfway between contexts: (14 + 16) / 2; with a batch of 8: (28 + 40) / 2.
    assertThat(profile.decodeNanos(1, 768)).isEqualTo(15 * MILLI);
    assertThat(profile.decodeNanos(8, 8 * 768)).isEqualTo(34 * MILLI);
  }

  @Test
  void isNeverOptimisticBeyondTheLastPoint() {
    // 50/512 a token is steeper than the 20/256 between the last two points.
    assertThat(profile.prefillNanos(1_024)).isEqualTo(100 * MILLI);
    // In batch: proportion 3.5 is steeper than 2. In context: the slope is below the proportion.
    assertThat(profile.decodeNanos(16, 16 * 512)).isEqualTo(56 * MILLI);
    assertThat(profile.decodeNanos(8, 8 * 2_048)).isEqualTo(80 * MILLI);
  }

  @Test
  void aTableThatIsOutOfOrderIsRefused() {
    assertThatThrownBy(() ->
            new PerformanceTable(
                List.of(new PrefillTime(2, 1), new PrefillTime(2, 1)), table().decode()))
        .hasMessageContaining("ascending at 2");
    assertThatThrownBy(() -> new PrefillTime(1, Double.NaN)).hasMessageContaining("NaN");
    assertThatThrownBy(() -> new PerformanceTable(List.of(), table().decode()))
        .hasMessageContaining("without a measurement");
  }

  @Property
  void moreWorkNeverTakesLess(
      @ForAll @IntRange(min = 1, max = 40) int batch,
      @ForAll @IntRange(min = 1, max = 4_000) int context,
      @ForAll @IntRange(max = 50) int more) {
    assertThat(profile.decodeNanos(batch + more, (long) (batch + more) * context))
        .isGreaterThanOrEqualTo(profile.decodeNanos(batch, (long) batch * context));
    assertThat(profile.decodeNanos(batch, (long) batch * (context + more)))
        .isGreaterThanOrEqualTo(profile.decodeNanos(batch, (long) batch * context));
    assertThat(profile.prefillNanos(context + more))
        .isGreaterThanOrEqualTo(profile.prefillNanos(context));
  }
}
