package dev.weft.runtime.scheduling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Blocks of four tokens; steps are applied by hand.
class StepPlannerTest {
  private int sequences;
  private final List<Integer> released = new ArrayList<>();
  private KvBlocks blocks = new KvBlocks(4, new BlockPool(0), BlockSupply.NONE, _ -> {});

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
  void scoredPromptsGoInShortChunks() {
    var planner = planner(20, 8, 4, 0);
    var sequence = new Sequence(new int[7], 9, true);
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

  private StepPlanner planner(int count, int maxBatchTokens, int maxSequences, int growthTokens) {
    blocks =
        new KvBlocks(
            4,
            new BlockPool(count),
            BlockSupply.NONE,
            gone -> Arrays.stream(gone).forEach(released::add));
    return new StepPlanner(
        new StepPlanner.Settings(maxBatchTokens, maxSequences, growthTokens, 3), blocks);
  }

  /// Begins like no other.
  private Sequence sequence(int promptLength, int maxLength) {
    int[] prompt = new int[promptLength];
    Arrays.fill(prompt, ++sequences);
    return new Sequence(prompt, maxLength, false);
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
