package dev.weft.runtime.scheduling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.memory.BlockStore;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Blocks of four tokens; steps are applied by hand.
class StepPlannerTest {
  private int sequences;
  private int rowsAtOnce = 1;
  private final List<Integer> released = new ArrayList<>();
  private KvBlocks blocks =
      new KvBlocks(4, new BlockPool(0), BlockSupply.NONE, BlockStore.NONE, _ -> {});

  @Test
  void decodesComeBeforePrefillAndPrefillIsCutToTheBudget() {
    var planner = planner(20, 8, 4, 0);
    var old = sequence(3, 10);
    planner.add(old);
    apply(planner.plan());
    var fresh = sequence(12, 14);
    planner.add(fresh);

    assertThat(apply(planner.plan())).containsExactly(new Part(old, 3, 1), new Part(fresh, 0, 7));
    assertThat(apply(planner.plan())).containsExactly(new Part(old, 4, 1), new Part(fresh, 7, 5));
    assertThat(apply(planner.plan())).containsExactly(new Part(old, 5, 1), new Part(fresh, 12, 1));
  }

  @Test
  void aStepCanBeBoundMoreTightlyButPromptsGetOn() {
    var planner = planner(40, 30, 20, 0);
    for (int i = 0; i < 10; i++) {
      planner.add(sequence(1, 4));
    }
    assertThat(apply(planner.plan(StepBudget.ofRows(4))))
        .as("one row each, none decodes yet")
        .hasSize(8);
    apply(planner.plan(StepBudget.ofRows(4)));
    var fresh = sequence(24, 26);
    planner.add(fresh);

    var parts = apply(planner.plan(StepBudget.ofRows(5)));

    assertThat(parts.stream().filter(Part::decodes)).hasSize(10);
    assertThat(parts.stream().filter(part -> !part.decodes()).mapToInt(Part::count).sum())
        .isEqualTo(8);
    assertThat(planner.plan(StepBudget.ofRows(30)).parts().stream().mapToInt(Part::count).sum())
        .isEqualTo(26);
  }

  @Test
  void aPartSamplesOnlyAtTheLastToken() {
    var planner = planner(20, 8, 4, 0);
    var sequence = sequence(12, 14);
    planner.add(sequence);

    assertThat(apply(planner.plan()).getFirst().samples()).isFalse();
    var last = planner.plan().parts().getFirst();
    assertThat(last.samples()).isTrue();
    assertThat(last.decodes()).isFalse();
    sequence.advance(last.count());
    sequence.append(1);
    assertThat(planner.plan().parts().getFirst().decodes()).isTrue();
  }

  @Test
  void aStepThatFailedIsPlannedAgain() {
    var planner = planner(20, 8, 4, 0);
    planner.add(sequence(5, 14));

    var first = planner.plan().parts();

    assertThat(planner.plan().parts()).isEqualTo(first);
  }

  @Test
  void aStepAheadHasTheSameSequencesButThoseWithTheirLastTokens() {
    var planner = planner(20, 8, 4, 0);
    var ends = sequence(3, 5);
    var goesOn = sequence(4, 14);
    planner.add(ends);
    planner.add(goesOn);
    var prompts = planner.plan();
    assertThat(planner.planAhead(prompts.parts())).as("prompts").isEmpty();
    apply(prompts);
    var step = planner.plan();

    assertThat(planner.planAhead(step.parts())).containsExactly(new Part(goesOn, 5, 1));

    assertThat(goesOn.blocks().size()).isEqualTo(2);
    apply(step);
    planner.remove(ends);
    var ahead = planner.takeAhead();
    assertThat(ahead).containsExactly(new Part(goesOn, 5, 1));
    assertThat(planner.takeAhead()).as("it is taken once").isEmpty();
    assertThat(planner.planAhead(ahead)).containsExactly(new Part(goesOn, 6, 1));
  }

  @Test
  void whoStopsRunningHasNoPartInTheStepAhead() {
    var planner = planner(20, 12, 4, 0);
    var removed = sequence(3, 12);
    var held = sequence(3, 12);
    var stays = sequence(3, 12);
    var preempted = sequence(3, 12);
    for (Sequence sequence : List.of(removed, held, stays, preempted)) {
      planner.add(sequence);
    }
    apply(planner.plan());
    var step = planner.plan();
    assertThat(planner.planAhead(step.parts())).hasSize(4);
    apply(step);

    planner.remove(removed);
    planner.hold(held);
    planner.shrinkTo(2);

    assertThat(planner.takeAhead()).containsExactly(new Part(stays, 4, 1));
  }

  @Test
  void nobodyGivesAnythingUpForAStepAhead() {
    var planner = planner(3, 8, 4, 0);
    var first = sequence(4, 12);
    var second = sequence(3, 12);
    planner.add(first);
    planner.add(second);
    apply(planner.plan());
    var step = planner.plan();

    assertThat(planner.planAhead(step.parts())).as("the second needs a fourth block").isEmpty();

    assertThat(planner.takeAhead()).isEmpty();
  }

  @Test
  void nothingIsPlannedAheadOfThoseWhoWait() {
    var planner = planner(20, 8, 4, 0);
    planner.add(sequence(4, 12));
    apply(planner.plan());
    var step = planner.plan();
    planner.add(sequence(4, 12));

    assertThat(planner.planAhead(step.parts())).isEmpty();
  }

  @Test
  void scoredPromptsGoInShortChunks() {
    var planner = planner(20, 8, 4, 0);
    var sequence = new Sequence(new int[7], 9, true, 0);
    planner.add(sequence);

    assertThat(apply(planner.plan())).containsExactly(new Part(sequence, 0, 3));
    assertThat(apply(planner.plan())).containsExactly(new Part(sequence, 3, 3));
    assertThat(apply(planner.plan())).containsExactly(new Part(sequence, 6, 1));
  }

  @Test
  void nobodyOvertakesAHeadThatDoesNotFit() {
    var planner = planner(4, 16, 4, 0);
    var running = sequence(12, 14);
    planner.add(running);
    apply(planner.plan());
    var large = sequence(8, 10);
    var small = sequence(1, 3);
    planner.add(large);
    planner.add(small);

    assertThat(planner.plan().parts()).extracting(Part::sequence).containsExactly(running);
    planner.remove(running);
    assertThat(planner.plan().parts()).extracting(Part::sequence).containsExactly(large, small);
  }

  @Test
  void admissionPlansRoomToGrow() {
    // 4 tokens are one block; 8 more to grow by make three.
    var planner = planner(5, 16, 4, 8);
    var first = sequence(4, 40 / 2);
    var second = sequence(4, 40 / 2);
    planner.add(first);
    planner.add(second);

    assertThat(planner.plan().parts()).extracting(Part::sequence).containsExactly(first);
    assertThat(blocks.planned()).isEqualTo(3);
    assertThat(planner.waitingCount()).isEqualTo(1);
  }

  @Test
  void aShortSequencePlansNoMoreThanItCanReach() {
    var planner = planner(5, 16, 4, 100);
    planner.add(sequence(4, 6));

    planner.plan();

    assertThat(blocks.planned()).as("five tokens are ever computed").isEqualTo(2);
  }

  @Test
  void growthTakesUnusedPlansBeforeItPreempts() {
    var planner = planner(6, 16, 4, 4);
    var old = sequence(4, 20);
    var newer = sequence(4, 20);
    planner.add(old);
    planner.add(newer);
    // Each plans two blocks; two are left.
    apply(planner.plan());
    assertThat(blocks.planned()).isEqualTo(4);

    for (int i = 0; i < 8; i++) {
      assertThat(planner.plan().preempted()).isEmpty();
      apply(planner.plan());
    }

    assertThat(old.length()).isEqualTo(13);
    assertThat(newer.length()).isEqualTo(13);
    assertThat(blocks.planned()).isEqualTo(6);
  }

  @Test
  void preemptsTheNewestWhenBlocksRunOut() {
    var planner = planner(4, 16, 4, 0);
    var old = sequence(7, 16);
    var newest = sequence(7, 16);
    planner.add(old);
    planner.add(newest);
    apply(planner.plan());
    apply(planner.plan());

    var plan = planner.plan();

    assertThat(plan.preempted()).containsExactly(newest);
    assertThat(apply(plan)).containsExactly(new Part(old, 8, 1));
    assertThat(newest.computed()).isZero();
    assertThat(newest.length()).as("what it generated stays").isEqualTo(9);
    assertThat(released)
        .as("the block that is complete stays until it is needed")
        .containsExactly(3);
    assertThat(blocks.cached()).isEqualTo(1);
  }

  @Test
  void thePreemptedComesBackFirstAndComputesWhatWasDropped() {
    var planner = planner(4, 16, 4, 0);
    var old = sequence(7, 16);
    var newest = sequence(7, 16);
    planner.add(old);
    planner.add(newest);
    apply(planner.plan());
    apply(planner.plan());
    apply(planner.plan());
    var later = sequence(1, 3);
    planner.add(later);
    planner.remove(old);

    assertThat(planner.plan().parts())
        .containsExactly(new Part(newest, 4, 5), new Part(later, 0, 1));
  }

  @Test
  void removingFreesBlocksWhereverTheSequenceIs() {
    var planner = planner(4, 16, 1, 0);
    var running = sequence(7, 10);
    var waiting = sequence(7, 10);
    planner.add(running);
    planner.add(waiting);
    apply(planner.plan());

    planner.remove(waiting);
    planner.remove(running);
    planner.remove(running);

    assertThat(planner.idle()).isTrue();
    assertThat(blocks.planned()).isZero();
    assertThat(released).containsExactly(1);
    blocks.checkNothingIsHeld();
    assertThat(released).containsExactly(1, 0);
  }

  @Test
  void refusesWhatNeverFits() {
    var planner = planner(4, 16, 4, 0);

    assertThat(planner.canEverFit(17)).isTrue();
    assertThat(planner.canEverFit(18)).isFalse();
    assertThatThrownBy(() -> planner.add(sequence(2, 18))).hasMessageContaining("never fit");
    assertThatThrownBy(() -> planner(4, 3, 4, 0)).hasMessageContaining("cannot serve");
  }

  @Test
  void aShortPromptDoesNotWaitBehindALongOneWhichStillEnds() {
    var planner = planner(200, 40, 4, 0);
    var large = sequence(200, 210);
    planner.add(large);
    apply(planner.plan());
    var small = sequence(28, 30);
    planner.add(small);

    assertThat(apply(planner.plan()))
        .containsExactlyInAnyOrder(new Part(large, 40, 12), new Part(small, 0, 28));
    assertThat(apply(planner.plan()))
        .containsExactlyInAnyOrder(new Part(small, 28, 1), new Part(large, 52, 39));
  }

  @Test
  void aStepsTimeBoundsItsPromptsByWhereTheyAre() {
    var planner = planner(400, 500, 4, 0);
    var far = sequence(1_200, 1_210);
    planner.add(far);
    apply(planner.plan());
    apply(planner.plan());
    var near = sequence(150, 160);
    planner.add(near);

    // A row costs 1 and twice that behind 1,000 tokens.
    var parts = apply(planner.plan(new StepBudget(500, 240, 240, 1, 0.001)));

    assertThat(parts.stream().filter(p -> p.sequence() == near).findFirst().orElseThrow().count())
        .isEqualTo(150);
    assertThat(parts.stream().filter(p -> p.sequence() == far).findFirst().orElseThrow().count())
        .as("a quarter of the time, and what is left of it")
        .isBetween(36, 40);
    assertThat(apply(planner.plan(new StepBudget(500, 0, 100, 1, 0.001))))
        .as("the oldest always gets on")
        .contains(new Part(far, parts.getFirst().from() + parts.getFirst().count(), 8));
  }

  @Test
  void theOldestGetsNoMoreThanReadersBearButGetsOn() {
    var planner = planner(400, 500, 4, 0);
    planner.add(sequence(300, 310));

    assertThat(promptRows(planner, new StepBudget(500, 0, 5.5, 1, 0))).isEqualTo(5);
    assertThat(promptRows(planner, new StepBudget(500, 0, 0, 1, 0))).isEqualTo(2);
    assertThat(promptRows(planner, new StepBudget(500, 4, 6, 1, 0)))
        .as("its share counts")
        .isEqualTo(6);
  }

  @Test
  void promptsFillRowsThatCostNothing() {
    rowsAtOnce = 16;
    var planner = planner(400, 500, 4, 0);
    planner.add(sequence(10, 60));
    apply(planner.plan());
    planner.add(sequence(200, 210));

    assertThat(promptRows(planner, 12)).as("filled up").isEqualTo(15);
    assertThat(promptRows(planner, 20)).as("a few are given back").isEqualTo(15);
    assertThat(promptRows(planner, 26)).isEqualTo(31);
    assertThat(promptRows(planner, 0)).as("the oldest gets on").isEqualTo(15);
  }

  @Test
  void aPromptThatEndsGivesNothingBack() {
    rowsAtOnce = 16;
    var planner = planner(400, 500, 4, 0);
    planner.add(sequence(10, 60));
    apply(planner.plan());
    planner.add(sequence(20, 30));

    assertThat(promptRows(planner, 40)).isEqualTo(20);
  }

  /// Of the next step, with time for so many rows.
  private static int promptRows(StepPlanner planner, int rows) {
    return promptRows(planner, new StepBudget(500, rows, 100, 1, 0));
  }

  private static int promptRows(StepPlanner planner, StepBudget budget) {
    return planner.plan(budget).parts().stream()
        .filter(part -> !part.decodes())
        .mapToInt(Part::count)
        .sum();
  }

  @Test
  void textsThatBeginAlikeShareBlocks() {
    var planner = planner(8, 40, 4, 0);
    int[] prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    var first = new Sequence(prompt, 14, false, 0);
    planner.add(first);
    apply(planner.plan());
    var second = new Sequence(prompt, 14, false, 0);
    var other = new Sequence(prompt, 14, false, 77);
    planner.add(second);
    planner.add(other);

    var parts = apply(planner.plan());

    assertThat(parts)
        .containsExactlyInAnyOrder(
            new Part(first, 10, 1), new Part(second, 8, 2), new Part(other, 0, 10));
    assertThat(second.blocks().block(0)).isEqualTo(first.blocks().block(0));
    assertThat(second.reusedTokens()).isEqualTo(8);
    assertThat(blocks.actual()).as("3 and 1 and, with another key, 3").isEqualTo(7);
    planner.remove(first);
    planner.remove(second);
    planner.remove(other);
    assertThat(blocks.actual()).isZero();
    assertThat(blocks.cached()).isEqualTo(4);
    blocks.checkNothingIsHeld();
  }

  @Test
  void thoseThatBeginTogetherShareWhatTheFirstHasComputed() {
    var planner = planner(40, 12, 4, 0);
    int[] prompt = new int[21];
    Arrays.setAll(prompt, i -> i);
    var first = new Sequence(prompt, 30, false, 0);
    var second = new Sequence(prompt, 30, false, 0);
    planner.add(first);
    planner.add(second);

    int steps = 0;
    while (first.length() == 21 || second.length() == 21) {
      apply(planner.plan());
      steps++;
    }

    assertThat(steps).isLessThan(4);
    assertThat(second.reusedTokens() + first.reusedTokens()).isPositive();
  }

  @Test
  void idlePrefixesGoBeforeAnybodyIsPreempted() {
    var planner = planner(4, 16, 4, 0);
    var gone = sequence(12, 14);
    planner.add(gone);
    apply(planner.plan());
    planner.remove(gone);
    assertThat(blocks.cached()).isEqualTo(3);
    var old = sequence(7, 16);
    planner.add(old);
    for (int i = 0; i < 9; i++) {
      assertThat(planner.plan().preempted()).isEmpty();
      apply(planner.plan());
    }

    assertThat(old.length()).isEqualTo(16);
    assertThat(blocks.evictedBlocks()).isEqualTo(3);
  }

  @Test
  void moreBlocksAreAskedForBeforeAnybodyIsPreempted() {
    var supply = new Supply(3);
    var planner = planner(4, 16, 4, 0, supply);
    var old = sequence(7, 26);
    var newest = sequence(7, 26);
    planner.add(old);
    planner.add(newest);
    for (int i = 0; i < 6; i++) {
      var plan = planner.plan();
      assertThat(plan.preempted()).isEmpty();
      apply(plan);
    }
    assertThat(supply.left).isEqualTo(1);
    assertThat(blocks.capacity()).isEqualTo(6);
    assertThat(planner.canEverFit(29)).isTrue();
    assertThat(planner.canEverFit(30)).isFalse();
  }

  /// Lends one block at a time.
  private static final class Supply implements BlockSupply {
    private final int all;
    private int left;

    /// For a planner of 4 blocks.
    Supply(int blocks) {
      all = 4 + blocks;
      left = blocks;
    }

    @Override
    public int grow(int blocks) {
      return left > 0 && left-- > 0 ? 1 : 0;
    }

    @Override
    public int reachable() {
      return all;
    }
  }

  @Test
  void whatIsSpareCanGoElsewhere() {
    var planner = planner(10, 16, 4, 8);
    var gone = sequence(8, 20);
    var stays = sequence(9, 20);
    planner.add(gone);
    planner.add(stays);
    apply(planner.plan());
    apply(planner.plan());
    planner.remove(gone);
    assertThat(blocks.cached()).isEqualTo(2);

    var moves = planner.shrinkTo(3);

    assertThat(moves.count()).isPositive();
    assertThat(stays.blocks().toArray()).containsOnly(0, 1, 2);
    assertThat(blocks.cached()).isZero();
    assertThat(apply(planner.plan())).hasSize(1);
  }

  @Test
  void shrinkingFurtherPreemptsTheNewest() {
    var planner = planner(10, 16, 4, 8);
    var oldest = sequence(8, 20);
    var newest = sequence(9, 20);
    planner.add(oldest);
    planner.add(newest);
    apply(planner.plan());

    planner.shrinkTo(3);

    assertThat(planner.runningCount()).isEqualTo(1);
    assertThat(oldest.blocks().toArray()).containsOnly(0, 1);
    var plan = planner.plan();
    assertThat(plan.preempted()).containsExactly(newest);
    assertThat(planner.plan().preempted()).as("it is said once").isEmpty();
    assertThat(planner.waitingCount()).isEqualTo(1);
    assertThat(planner.waitingBlocks()).isEqualTo(5);
  }

  @Test
  void whatIsHeldKeepsItsBlocksUntilTheyAreInTheWay() {
    var planner = planner(10, 16, 4, 8);
    var oldest = sequence(8, 20);
    var stopped = sequence(8, 20);
    planner.add(oldest);
    planner.add(stopped);
    apply(planner.plan());

    assertThat(planner.hold(stopped)).isTrue();
    assertThat(planner.hold(stopped)).as("it runs no more").isFalse();
    assertThat(apply(planner.plan())).containsExactly(new Part(oldest, 8, 1));
    assertThat(stopped.blocks().size()).isEqualTo(2);
    planner.shrinkTo(6);
    assertThat(planner.holds(stopped)).isTrue();
    planner.shrinkTo(3);
    assertThat(planner.holds(stopped)).isFalse();
    assertThat(planner.runningCount()).as("who runs is not preempted for it").isEqualTo(1);
    planner.letGo(stopped);
    planner.remove(oldest);
    assertThat(blocks.planned()).isZero();
  }

  @Test
  void whatIsHeldGivesWayToWhoNeedsAnotherBlock() {
    var planner = planner(4, 16, 4, 0);
    var runs = sequence(8, 16);
    var stopped = sequence(7, 16);
    planner.add(runs);
    planner.add(stopped);
    apply(planner.plan());
    planner.hold(stopped);

    var plan = planner.plan();

    assertThat(apply(plan)).containsExactly(new Part(runs, 8, 1));
    assertThat(plan.preempted()).isEmpty();
    assertThat(planner.holds(stopped)).isFalse();
  }

  @Test
  void blocksThatAreFilledFromElsewhereAreKnownToWhoHasTheirTokens() {
    var planner = planner(6, 16, 4, 0);
    var arriving = sequence(10, 11);
    var request = new Sequence(arriving.tokens(0, 10), 12, false, 0);

    assertThat(planner.tryHold(arriving)).isTrue();
    assertThat(blocks.planned()).as("whole blocks before the last token").isEqualTo(2);
    assertThat(blocks.actual()).isZero();
    planner.nextBlock(arriving);
    planner.filled(arriving);
    planner.nextBlock(arriving);
    planner.filled(arriving);
    planner.add(request);

    assertThat(apply(planner.plan())).containsExactly(new Part(request, 8, 2));
    planner.letGo(arriving);
    planner.remove(request);
    assertThat(blocks.planned()).isZero();
    assertThat(blocks.cached()).isEqualTo(2);

    assertThat(planner.tryHold(sequence(30, 31))).as("more than there is").isFalse();
    assertThat(blocks.planned()).isZero();
    planner.letGoAll();
    blocks.checkNothingIsHeld();
  }

  @Test
  void draftsTakeWhatIsLeftAndNothingElse() {
    var planner = planner(4, 16, 4, 0);
    var sequence = sequence(7, 16);
    planner.add(sequence);
    apply(planner.plan());
    sequence.draft(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9});

    assertThat(planner.plan().parts())
        .as("15 are ever computed")
        .containsExactly(new Part(sequence, 7, 1, 7));
    assertThat(blocks.actual()).isEqualTo(4);
    assertThat(planner.plan(StepBudget.ofRows(4)).parts())
        .containsExactly(new Part(sequence, 7, 1, 3));
    sequence.draft(new int[0]);
    assertThat(planner.plan().parts()).containsExactly(new Part(sequence, 7, 1));
    assertThat(blocks.actual()).as("blocks of drafts come back").isEqualTo(2);

    var other = sequence(7, 12);
    planner.add(other);
    apply(planner.plan());
    sequence.draft(new int[] {1, 2, 3, 4, 5});
    assertThat(planner.plan().preempted()).isEmpty();
  }

  private StepPlanner planner(int count, int maxBatchTokens, int maxSequences, int growthTokens) {
    return planner(count, maxBatchTokens, maxSequences, growthTokens, BlockSupply.NONE);
  }

  private StepPlanner planner(
      int count, int maxBatchTokens, int maxSequences, int growthTokens, BlockSupply supply) {
    blocks =
        new KvBlocks(
            4,
            new BlockPool(count),
            supply,
            BlockStore.NONE,
            gone -> Arrays.stream(gone).forEach(released::add));
    return new StepPlanner(
        new StepPlanner.Settings(maxBatchTokens, maxSequences, growthTokens, 3, rowsAtOnce),
        blocks);
  }

  /// Begins like no other.
  private Sequence sequence(int promptLength, int maxLength) {
    int[] prompt = new int[promptLength];
    Arrays.fill(prompt, ++sequences);
    return new Sequence(prompt, maxLength, false, 0);
  }

  /// Does what a successful step does.
  private static List<Part> apply(StepPlan plan) {
    for (Part part : plan.parts()) {
      boolean samples = part.samples();
      part.sequence().advance(part.count());
      if (samples) {
        part.sequence().append(7);
      }
    }
    return plan.parts();
  }
}
