package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.memory.KvWatermark.Grow;
import dev.weft.autoscaler.memory.KvWatermark.Keep;
import dev.weft.autoscaler.memory.KvWatermark.Lacks;
import dev.weft.autoscaler.memory.KvWatermark.Shrink;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class KvWatermarkTest {
  private static final KvWatermark WATERMARK = new KvWatermark(0.25, 100);

  @Test
  void growsByAQuarterMoreThanIsNeeded() {
    assertThat(WATERMARK.decide(1_000, 999, 10_000)).isEqualTo(new Grow(1_250));
  }

  @Test
  void takesWhatThereIsWhenThatIsEnough() {
    assertThat(WATERMARK.decide(1_000, 900, 150)).isEqualTo(new Grow(1_050));
    assertThat(WATERMARK.decide(1_000, 900, 99)).isEqualTo(new Lacks(1));
  }

  @Test
  void keepsBetweenTheMarks() {
    assertThat(WATERMARK.decide(1_000, 1_000, 0)).isEqualTo(Keep.KEEP);
    assertThat(WATERMARK.decide(1_000, 1_562, 0)).isEqualTo(Keep.KEEP);
  }

  @Test
  void shrinksWhenTwiceTheMarkIsHeld() {
    assertThat(WATERMARK.decide(1_000, 1_563, 0)).isEqualTo(new Shrink(1_250));
  }

  @Test
  void keepsTheLeast() {
    assertThat(WATERMARK.decide(0, 0, 1_000)).isEqualTo(new Grow(125));
    assertThat(WATERMARK.decide(0, 1_000, 0)).isEqualTo(new Shrink(125));
  }

  /// What one decision makes, the next leaves alone.
  @Property
  void neverAnswersItself(
      @ForAll @LongRange(max = 100_000) long needed,
      @ForAll @LongRange(max = 200_000) long held,
      @ForAll @LongRange(max = 200_000) long room) {
    long then =
        switch (WATERMARK.decide(needed, held, room)) {
          case Grow(var tokens) -> tokens;
          case Shrink(var tokens) -> tokens;
          case Keep _ -> held;
          case Lacks _ -> -1;
        };
    if (then >= 0) {
      assertThat(WATERMARK.decide(needed, then, 0)).isEqualTo(Keep.KEEP);
      assertThat(then).isGreaterThanOrEqualTo(needed);
    }
  }
}
