package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.weft.autoscaler.memory.KvGrant.Granted;
import dev.weft.autoscaler.memory.KvGrant.TooSmall;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class KvGrantTest {
  private static final KvGrant FOUR_OR_HALF = new KvGrant(4, 0.5);

  /// 1,000 bytes fixed; a context is 100 tokens, 10 blocks of 10 bytes, 100 bytes.
  private static final ModelFootprint MODEL = new ModelFootprint(900, 100, 10, 10, 100);

  @Test
  void grantsTheTargetWhereMemoryIsPlenty() {
    assertThat(FOUR_OR_HALF.decide(MODEL, 10_000))
        .isEqualTo(
            new Granted(
                40, 400, "40 blocks, 4.0 contexts of 100 tokens: the target of 4 sequences"));
  }

  @Test
  void leavesAShareOfTheFreeMemoryToOthers() {
    assertThat(FOUR_OR_HALF.decide(MODEL, 1_500))
        .isEqualTo(
            new Granted(25, 250, "25 blocks, 2.5 contexts of 100 tokens: 50 % of the free memory"));
  }

  @Test
  void grantsOneContextEvenBeyondTheShare() {
    assertThat(FOUR_OR_HALF.decide(MODEL, 1_100))
        .isEqualTo(
            new Granted(
                10,
                100,
                "10 blocks, 1.0 contexts of 100 tokens: one full context, the least that works"));
  }

  @Test
  void refusesWhereNotOneContextFits() {
    assertThat(FOUR_OR_HALF.decide(MODEL, 1_099))
        .isEqualTo(
            new TooSmall(
                1,
                "needs 1.1 KiB (weights 900 B + activations 100 B + KV for one context of 100 tokens 100 B), 1.1 KiB are free"));
    assertThat(FOUR_OR_HALF.decide(MODEL, 0))
        .isInstanceOfSatisfying(
            TooSmall.class, small -> assertThat(small.missingBytes()).isEqualTo(1_100));
  }

  @Test
  void countsABlockForAContextThatEndsWithinIt() {
    ModelFootprint odd = new ModelFootprint(0, 0, 10, 13, 100);
    assertThat(odd.blocksPerContext()).isEqualTo(8);
    assertThat(new KvGrant(1, 1).decide(odd, 80))
        .isInstanceOfSatisfying(
            Granted.class, granted -> assertThat(granted.blockCount()).isEqualTo(8));
    assertThat(new KvGrant(1, 1).decide(odd, 79)).isInstanceOf(TooSmall.class);
  }

  @Test
  void grantsNothingToAModelWithoutKvCache() {
    assertThat(FOUR_OR_HALF.decide(new ModelFootprint(900, 100, 0, 0, 256), 1_000))
        .isEqualTo(new Granted(0, 0, "the model has no KV cache"));
  }

  @Test
  void refusesPoliciesThatMeanNothing() {
    assertThatIllegalArgumentException().isThrownBy(() -> new KvGrant(0, 0.5));
    assertThatIllegalArgumentException().isThrownBy(() -> new KvGrant(1, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new KvGrant(1, 1.01));
    assertThatIllegalArgumentException().isThrownBy(() -> new KvGrant(1, Double.NaN));
  }

  @Property
  void staysWithinFreeMemoryAndHoldsAContext(
      @ForAll @LongRange(max = 1L << 40) long freeBytes,
      @ForAll @LongRange(max = 1L << 38) long fixedBytes,
      @ForAll @IntRange(min = 1, max = 1 << 26) int blockBytes,
      @ForAll @IntRange(min = 1, max = 256) int tokensPerBlock,
      @ForAll @IntRange(min = 1, max = 1 << 20) int contextLength,
      @ForAll @IntRange(min = 1, max = 256) int targetSequences,
      @ForAll @DoubleRange(min = 0.01, max = 1) double share) {
    ModelFootprint model =
        new ModelFootprint(fixedBytes, 0, blockBytes, tokensPerBlock, contextLength);
    switch (new KvGrant(targetSequences, share).decide(model, freeBytes)) {
      case Granted granted -> {
        assertThat(granted.bytes()).isEqualTo((long) granted.blockCount() * blockBytes);
        assertThat(model.fixedBytes() + granted.bytes()).isLessThanOrEqualTo(freeBytes);
        assertThat(granted.blockCount())
            .isBetween(model.blocksPerContext(), targetSequences * model.blocksPerContext());
      }
      case TooSmall small -> {
        assertThat(small.missingBytes()).isPositive();
        assertThat(new KvGrant(1, share).decide(model, freeBytes + small.missingBytes()))
            .isInstanceOf(Granted.class);
      }
    }
  }
}
