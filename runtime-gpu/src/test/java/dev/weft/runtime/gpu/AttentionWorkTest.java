package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.gpu.AttentionWork.Singles;
import dev.weft.runtime.model.DecoderSpec;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/// Rows alone are divided so that what they are merged from fits, whatever their number and length.
class AttentionWorkTest {
  /// Heads of Llama-3.1-8B.
  private static final AttentionWork GROUPED = work(32, 8, 128);

  @Property
  void whatIsMergedFitsInWhatWasPlanned(
      @ForAll @IntRange(min = 1, max = 600) int rows,
      @ForAll @IntRange(max = 100) int more,
      @ForAll @IntRange(min = 1, max = 300_000) int longest,
      @ForAll @IntRange(max = 100_000) int room,
      @ForAll @IntRange(max = 4) int sharing) {
    var work = work(32, 32 >> sharing, 128);
    Singles singles = work.singles(rows, longest);
    long bytes = ScratchLayout.partialBytes(work.spec(), singles.atOnce(), singles.units());

    assertThat(singles.atOnce()).isBetween(1, rows);
    assertThat(singles.units() * ScratchLayout.UNIT_TOKENS).isGreaterThanOrEqualTo(longest);
    assertThat(bytes).isLessThanOrEqualTo(work.mostPartialBytes(rows + more, longest + room));
    assertThat(singles.atOnce() == 1 || bytes <= AttentionWork.MOST_PARTIAL_BYTES).isTrue();
  }

  @Test
  void rowsOfShortSequencesAreMergedAtOnce() {
    Singles singles = GROUPED.singles(128, 1_100);

    assertThat(singles.atOnce()).isEqualTo(128);
    assertThat(singles.together()).isFalse();
  }

  @Test
  void oneRowHasAWarpAUnit() {
    assertThat(GROUPED.singles(1, 4_096)).isEqualTo(new Singles(1, 1, 64, true));
  }

  @Test
  void longSequencesGoOneAfterTheOther() {
    assertThat(GROUPED.singles(7, 131_072).atOnce()).isEqualTo(3);
  }

  private static AttentionWork work(int heads, int kvHeads, int headSize) {
    var rope = new DecoderSpec.Rope(10_000, headSize, false, List.of());
    var spec =
        new DecoderSpec(
            "llama",
            1_000,
            1 << 20,
            1,
            heads * headSize,
            1_024,
            heads,
            kvHeads,
            headSize,
            1e-5,
            rope,
            DecoderSpec.Activation.SILU,
            false,
            false,
            0);
    return new AttentionWork(spec, AttentionWork.MOST_PARTIAL_BYTES);
  }
}
