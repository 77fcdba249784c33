package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.autoscaler.memory.KvMove.Missing;
import dev.weft.autoscaler.memory.KvMove.Way;
import dev.weft.autoscaler.profile.StepTimes;
import java.util.Optional;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

/// What is cheaper is done, and what is not known is not taken for cheap.
class KvMoveTest {
  /// Keys and values of SmolLM2: 30 layers, 3 heads of 64, 16 bits.
  private static final long TOKEN_BYTES = 23_040;

  /// So many tokens a second, and a quarter more for every thousand tokens before them.
  private static StepTimes prefill(double tokensPerSecond) {
    return new StepTimes() {
      @Override
      public long prefillNanos(long tokens) {
        return (long) ((double) tokens * (1 + (double) tokens / 8_000) / tokensPerSecond * 1e9);
      }

      @Override
      public long decodeNanos(int batch, long contextTokens) {
        throw new UnsupportedOperationException();
      }
    };
  }

  private static Way way(Missing missing, double tokensPerSecond, double bytesPerSecond) {
    return KvMove.decide(
            missing, Optional.of(prefill(tokensPerSecond)), new LinkSpeed(bytesPerSecond))
        .way();
  }

  @Test
  void theCheaperWayIsTaken() {
    Missing long1k = new Missing(0, 1_000, TOKEN_BYTES);
    // 23 MB: 0.23 s over a gigabit, 2.3 s over a tenth of it; a thousand tokens take 1.1 s here.
    assertThat(way(long1k, 1_000, 100e6)).isEqualTo(Way.MOVE);
    assertThat(way(long1k, 1_000, 10e6)).isEqualTo(Way.COMPUTE);
    assertThat(way(long1k, 20_000, 100e6)).as("a fast device").isEqualTo(Way.COMPUTE);
    assertThat(way(new Missing(0, 1, TOKEN_BYTES), 1_000, 1e9))
        .as("a transfer costs something however small it is")
        .isEqualTo(Way.COMPUTE);
  }

  @Test
  void whatIsKnownCountsForNothingButTheTokensAfterItCostMore() {
    Missing first = new Missing(0, 100, TOKEN_BYTES);
    Missing last = new Missing(8_000, 100, TOKEN_BYTES);
    KvMove early = KvMove.decide(first, Optional.of(prefill(3_000)), new LinkSpeed(50e6));
    KvMove late = KvMove.decide(last, Optional.of(prefill(3_000)), new LinkSpeed(50e6));
    assertThat(late.moveNanos()).isEqualTo(early.moveNanos());
    assertThat(early.way()).isEqualTo(Way.COMPUTE);
    assertThat(late.way()).isEqualTo(Way.MOVE);
  }

  @Test
  void withoutAProfileItMoves() {
    KvMove move = KvMove.decide(new Missing(0, 50, TOKEN_BYTES), Optional.empty(), LinkSpeed.PRIOR);
    assertThat(move.way()).isEqualTo(Way.MOVE);
    assertThat(move.computeNanos()).isEqualTo(-1);
    assertThat(move.reason()).contains("50 tokens (1.2 MB)", "16.5 ms", "never measured");
  }

  @Test
  void theReasonSaysBothTimes() {
    KvMove move =
        KvMove.decide(
            new Missing(0, 1_000, TOKEN_BYTES), Optional.of(prefill(1_000)), new LinkSpeed(100e6));
    assertThat(move.reason())
        .isEqualTo(
            "moving 1000 tokens (23.0 MB) is expected to take 235.4 ms, computing them 1125.0 ms");
  }

  @Property
  void aFasterLinkOrASlowerDeviceNeverMakesItCompute(
      @ForAll @IntRange(max = 10_000) int known,
      @ForAll @IntRange(min = 1, max = 10_000) int tokens,
      @ForAll @LongRange(min = 100, max = 1_000_000) long tokenBytes,
      @ForAll @DoubleRange(min = 10, max = 1e6) double tokensPerSecond,
      @ForAll @DoubleRange(min = 1e5, max = 1e11) double bytesPerSecond) {
    Missing missing = new Missing(known, tokens, tokenBytes);
    if (way(missing, tokensPerSecond, bytesPerSecond) == Way.MOVE) {
      assertThat(way(missing, tokensPerSecond, bytesPerSecond * 2)).isEqualTo(Way.MOVE);
      assertThat(way(missing, tokensPerSecond / 2, bytesPerSecond)).isEqualTo(Way.MOVE);
    }
  }

  @Test
  void aLinkIsLearned() {
    LinkSpeed link = LinkSpeed.PRIOR;
    for (int i = 0; i < 20; i++) {
      // 1 GB/s beside the setup.
      link = link.after(20_000_000, LinkSpeed.SETUP_NANOS + 20_000_000);
    }
    assertThat(link.bytesPerSecond()).isCloseTo(1e9, within(1e7));
    LinkSpeed slower = link.after(20_000_000, 2_000_000_000);
    assertThat(slower.bytesPerSecond()).isBetween(5e7, 2e8);
    assertThat(link.after(1_000, 2_000_000_000).bytesPerSecond())
        .as("what is small says little")
        .isGreaterThan(slower.bytesPerSecond());
    assertThat(link.after(0, 1_000)).isEqualTo(link);
  }

  @Test
  void refusesWhatIsNothing() {
    assertThatThrownBy(() -> new Missing(0, 0, 1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new LinkSpeed(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new LinkSpeed(Double.NaN))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
