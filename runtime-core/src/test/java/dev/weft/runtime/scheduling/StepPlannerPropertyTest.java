package dev.weft.runtime.scheduling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.memory.BlockStore;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/// Random arrivals, failures and cancellations on a pool that is too small: every step keeps the
/// bounds, plans are never over-committed, the oldest is never preempted, and everything ends.
class StepPlannerPropertyTest {
  private static final int BLOCK_TOKENS = 4;
  private static final int SEQUENCES = 30;

  @Property(tries = 300)
  void everyStepKeepsTheBoundsAndEverySequenceEnds(
      @ForAll long seed,
      @ForAll @IntRange(min = 5, max = 24) int blocks,
      @ForAll @IntRange(min = 1, max = 6) int maxSequences,
      @ForAll @IntRange(max = 12) int extraRows,
      @ForAll @IntRange(max = 16) int growthTokens) {
    var random = new SplittableRandom(seed);
    var pool = new BlockPool(blocks);
    var kv = new KvBlocks(BLOCK_TOKENS, pool, BlockSupply.NONE, BlockStore.NONE, _ -> {});
    int maxRows = maxSequences + extraRows;
    int atOnce = 1 << random.nextInt(5);
    var settings = new StepPlanner.Settings(maxRows, maxSequences, growthTokens, 2, atOnce);
    var planner = new StepPlanner(settings, kv);
    var alive = new ArrayList<Sequence>();
    int submitted = 0;
    int steps = 0;
    while (submitted < SEQUENCES || !planner.idle()) {
      if (submitted < SEQUENCES && random.nextInt(3) == 0) {
        var sequence = arrival(random, blocks);
        planner.add(sequence);
        alive.add(sequence);
        submitted++;
      }
      if (!alive.isEmpty() && random.nextInt(40) == 0) {
        planner.remove(alive.remove(random.nextInt(alive.size())));
      }
      int budget = 1 + random.nextInt(settings.maxBatchTokens());
      var step = StepBudget.ofRows(random.nextBoolean() ? settings.maxBatchTokens() : budget);
      for (Sequence sequence : alive) {
        sequence.draft(sequence.decoding() ? new int[random.nextInt(4)] : new int[0]);
      }
      int most = planner.mostRows(step);
      var plan = planner.plan(step);
      assertThat(plan.parts().stream().mapToInt(Part::rows).sum()).isLessThanOrEqualTo(most);
      checkBounds(plan, planner, kv, settings, alive);
      for (Part part : plan.parts()) {
        if (random.nextInt(20) > 0) {
          run(part, planner, alive);
        }
      }
      assertThat(++steps).as("it ends").isLessThan(20_000);
    }
    assertThat(alive).isEmpty();
    assertThat(kv.actual()).isZero();
    assertThat(kv.planned()).isZero();
    assertThat(pool.usedCount()).isEqualTo(kv.cached());
    kv.checkNothingIsHeld();
  }

  private static Sequence arrival(SplittableRandom random, int blocks) {
    int longest = blocks * BLOCK_TOKENS;
    int maxLength = 2 + random.nextInt(longest);
    int promptLength = 1 + random.nextInt(maxLength - 1);
    return new Sequence(new int[promptLength], maxLength, random.nextInt(4) == 0, 0);
  }

  private static void run(Part part, StepPlanner planner, List<Sequence> alive) {
    boolean samples = part.samples();
    part.sequence().advance(part.count());
    if (samples) {
      part.sequence().append(1);
      if (part.sequence().length() == part.sequence().maxLength()) {
        planner.remove(part.sequence());
        alive.remove(part.sequence());
      }
    }
  }

  private static void checkBounds(
      StepPlan plan,
      StepPlanner planner,
      KvBlocks kv,
      StepPlanner.Settings settings,
      List<Sequence> alive) {
    assertThat(plan.parts().isEmpty()).as("a step does something").isEqualTo(alive.isEmpty());
    int rows = plan.parts().stream().mapToInt(Part::count).sum();
    assertThat(rows).isLessThanOrEqualTo(settings.maxBatchTokens());
    assertThat(planner.runningCount()).isLessThanOrEqualTo(settings.maxSequences());
    assertThat(kv.planned()).isBetween(kv.actual(), kv.capacity());
    var seen = new HashSet<Sequence>();
    for (Part part : plan.parts()) {
      assertThat(seen.add(part.sequence())).isTrue();
      assertThat(part.from()).isEqualTo(part.sequence().computed());
      assertThat(part.sequence().blocks().size() * BLOCK_TOKENS)
          .isGreaterThanOrEqualTo(part.from() + part.count());
      assertThat(plan.preempted()).doesNotContain(part.sequence());
      if (part.sequence().scored()) {
        assertThat(part.count()).isLessThanOrEqualTo(settings.maxScoredRows());
      }
    }
    if (!alive.isEmpty()) {
      assertThat(plan.preempted()).doesNotContain(alive.getFirst());
      assertThat(seen).as("the oldest always moves").contains(alive.getFirst());
    }
  }
}
