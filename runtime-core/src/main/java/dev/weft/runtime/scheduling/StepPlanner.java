package dev.weft.runtime.scheduling;

import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Decides what each step of one instance runs; see the package. Used by one thread.
public final class StepPlanner {
  /// Rows of prompts in a step whose bound is used up by sequences that continue.
  private static final int LEAST_PREFILL_ROWS = 8;

  private final Settings settings;
  private final BlockPool pool;
  private final Consumer<int[]> onRelease;

  /// In order of arrival, and every one of them arrived before all that wait.
  private final List<Sequence> running = new ArrayList<>();

  private final ArrayDeque<Sequence> waiting = new ArrayDeque<>();
  private int plannedBlocks;

  /// Bounds of a step.
  ///
  /// @param maxBatchTokens rows of a step; at least `maxSequences`, so that prefill never starves
  /// @param growthTokens tokens beyond those it has that an admitted sequence plans blocks for
  /// @param maxScoredRows rows of a chunk whose logits are all kept
  public record Settings(
      int tokensPerBlock,
      int maxBatchTokens,
      int maxSequences,
      int growthTokens,
      int maxScoredRows) {
    public Settings {
      if (maxSequences < 1 || maxBatchTokens < maxSequences) {
        throw new IllegalArgumentException(
            "%d rows cannot serve %d sequences".formatted(maxBatchTokens, maxSequences));
      }
      if (tokensPerBlock < 1 || growthTokens < 0 || maxScoredRows < 1) {
        throw new IllegalArgumentException(
            "%d tokens a block, growth by %d, %d scored rows"
                .formatted(tokensPerBlock, growthTokens, maxScoredRows));
      }
    }
  }

  /// @param onRelease hears of blocks that hold nothing any more
  public StepPlanner(Settings settings, BlockPool pool, Consumer<int[]> onRelease) {
    this.settings = settings;
    this.pool = pool;
    this.onRelease = onRelease;
  }

  /// Whether a sequence of `maxLength` tokens fits when it has all blocks for itself. The last
  /// token is never computed.
  public boolean canEverFit(int maxLength) {
    return blocksFor(maxLength - 1) <= pool.blockCount();
  }

  public int runningCount() {
    return running.size();
  }

  public int waitingCount() {
    return waiting.size();
  }

  public int plannedBlocks() {
    return plannedBlocks;
  }

  public boolean idle() {
    return running.isEmpty() && waiting.isEmpty();
  }

  /// Queues a new sequence.
  public void add(Sequence sequence) {
    if (!canEverFit(sequence.maxLength())) {
      throw new IllegalArgumentException(
          "%d tokens never fit into %d blocks".formatted(sequence.maxLength(), pool.blockCount()));
    }
    waiting.addLast(sequence);
  }

  /// Ends a sequence, wherever it is, and frees its blocks.
  public void remove(Sequence sequence) {
    if (running.remove(sequence)) {
      free(sequence);
    } else {
      waiting.remove(sequence);
    }
  }

  /// The next step, as large as a step may be; see [#plan(int)].
  public StepPlan plan() {
    return plan(settings.maxBatchTokens);
  }

  /// The next step; empty when there is nothing to do. The caller runs it and then calls
  /// [Sequence#advance] for every part that succeeded; a part that did not is planned again.
  ///
  /// @param rows bound of this step, where it is less than that of every step. Sequences that
  ///   continue are not held back by it, and beside them prompts get on by a few rows all the same
  public StepPlan plan(int rows) {
    var parts = new ArrayList<Part>();
    var preempted = new ArrayList<Sequence>();
    planDecodes(parts, preempted);
    int budget =
        Math.min(
            settings.maxBatchTokens - parts.size(),
            Math.max(rows - parts.size(), LEAST_PREFILL_ROWS));
    for (Sequence sequence : running) {
      if (sequence.pending() > 1) {
        budget -= planChunk(sequence, budget, parts);
      }
    }
    // What was just preempted would come straight back and push out the next one.
    if (preempted.isEmpty()) {
      admit(budget, parts);
    }
    return new StepPlan(parts, preempted);
  }

  /// Running sequences that continue come first: their readers wait for the next word.
  private void planDecodes(List<Part> parts, List<Sequence> preempted) {
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      if (sequence.pending() != 1) {
        continue;
      }
      while (running.contains(sequence) && !tryExtend(sequence, blocksFor(sequence.length()))) {
        preempted.add(preemptNewest());
      }
      if (running.contains(sequence)) {
        grow(sequence, sequence.length());
        parts.add(new Part(sequence, sequence.computed(), 1));
      }
    }
  }

  private int planChunk(Sequence sequence, int budget, List<Part> parts) {
    int count = Math.min(budget, sequence.pending());
    if (sequence.scored()) {
      count = Math.min(count, settings.maxScoredRows);
    }
    if (count > 0) {
      grow(sequence, sequence.computed() + count);
      parts.add(new Part(sequence, sequence.computed(), count));
    }
    return count;
  }

  /// Strictly first come, first served: when the head does not fit, nobody overtakes it.
  private void admit(int rowBudget, List<Part> parts) {
    int budget = rowBudget;
    while (budget > 0 && running.size() < settings.maxSequences && !waiting.isEmpty()) {
      Sequence head = waiting.getFirst();
      int longest = Math.min(head.maxLength() - 1, head.length() + settings.growthTokens);
      int blocks = blocksFor(Math.max(head.length(), longest));
      if (blocks > unplannedBlocks()) {
        return;
      }
      waiting.removeFirst();
      running.add(head);
      setPlan(head, blocks);
      budget -= planChunk(head, budget, parts);
    }
  }

  /// Raises the plan of a running sequence to `blocks`. When no block is left to plan, others, the
  /// newest first, give up the growth that they have planned, though not the tokens that they have.
  private boolean tryExtend(Sequence sequence, int blocks) {
    int newest = running.size() - 1;
    while (blocks - sequence.plannedBlocks() > unplannedBlocks() && newest >= 0) {
      Sequence other = running.get(newest--);
      setPlan(other, Math.min(other.plannedBlocks(), blocksFor(other.length())));
    }
    if (blocks - sequence.plannedBlocks() > unplannedBlocks()) {
      return false;
    }
    setPlan(sequence, Math.max(blocks, sequence.plannedBlocks()));
    return true;
  }

  private int unplannedBlocks() {
    return pool.blockCount() - plannedBlocks;
  }

  private void setPlan(Sequence sequence, int blocks) {
    plannedBlocks += blocks - sequence.plannedBlocks();
    sequence.plan(blocks);
  }

  private Sequence preemptNewest() {
    Sequence newest = running.removeLast();
    free(newest);
    waiting.addFirst(newest);
    return newest;
  }

  private void free(Sequence sequence) {
    plannedBlocks -= sequence.plannedBlocks();
    int[] released = pool.release(sequence.blocks());
    sequence.forget();
    if (released.length > 0) {
      onRelease.accept(released);
    }
  }

  private void grow(Sequence sequence, int tokens) {
    int blocks = blocksFor(tokens);
    if (blocks > sequence.plannedBlocks() || !pool.tryGrow(sequence.blocks(), blocks)) {
      throw new IllegalStateException(
          "%d blocks needed, %d planned, %d free"
              .formatted(blocks, sequence.plannedBlocks(), pool.freeCount()));
    }
  }

  private int blocksFor(int tokens) {
    return Math.ceilDiv(tokens, settings.tokensPerBlock);
  }
}
