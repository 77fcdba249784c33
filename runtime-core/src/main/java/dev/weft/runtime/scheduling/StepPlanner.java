package dev.weft.runtime.scheduling;

import dev.weft.runtime.memory.BlockMoves;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.util.ArrayList;
import java.util.List;

/// Decides what each step of one instance runs; see the package. Used by one thread, but for
/// [#canEverFit].
public final class StepPlanner {
  private final Settings settings;
  private final KvBlocks blocks;

  /// In the order in which they were let in.
  private final List<Sequence> running = new ArrayList<>();

  private final WaitingLine waiting = new WaitingLine();

  /// Sequences that take part in no step and keep their blocks while somebody copies what they
  /// hold, to elsewhere or from there.
  private final List<Sequence> held = new ArrayList<>();

  /// Since the last plan.
  private final List<Sequence> preempted = new ArrayList<>();

  /// What was [planned ahead][#planAhead], of sequences that have not stopped running since.
  private final List<Part> ahead = new ArrayList<>();

  private int promptRows;

  /// Bounds of a step.
  ///
  /// @param maxBatchTokens rows of a step; at least `maxSequences`, so that prefill never starves
  /// @param growthTokens tokens beyond those it has that an admitted sequence plans blocks for
  /// @param maxScoredRows rows of a chunk whose logits are all kept
  /// @param rowsAtOnce rows that cost about as much as fewer: steps have multiples of them where
  ///   prompts can fill them up
  public record Settings(
      int maxBatchTokens, int maxSequences, int growthTokens, int maxScoredRows, int rowsAtOnce) {
    public Settings {
      if (maxSequences < 1 || maxBatchTokens < maxSequences) {
        throw new IllegalArgumentException(
            "%d rows cannot serve %d sequences".formatted(maxBatchTokens, maxSequences));
      }
      if (growthTokens < 0 || maxScoredRows < 1 || rowsAtOnce < 1) {
        throw new IllegalArgumentException(
            "growth by %d, %d scored rows, %d at once"
                .formatted(growthTokens, maxScoredRows, rowsAtOnce));
      }
    }
  }

  public StepPlanner(Settings settings, KvBlocks blocks) {
    this.settings = settings;
    this.blocks = blocks;
  }

  /// Whether a sequence of `maxLength` tokens fits when it has all blocks for itself. The last
  /// token is never computed.
  public boolean canEverFit(int maxLength) {
    return blocks.canEverHold(maxLength - 1);
  }

  public int runningCount() {
    return running.size();
  }

  public int waitingCount() {
    return waiting.size();
  }

  public boolean idle() {
    return running.isEmpty() && waiting.isEmpty();
  }

  /// Whether some sequence is past its prompt, and somebody waits for its next token.
  public boolean decoding() {
    return running.stream().anyMatch(Sequence::decoding);
  }

  /// Rows of a step that has sequences that continue, and nothing else.
  public int decodeRows() {
    return (int) running.stream().filter(sequence -> sequence.pending() == 1).count();
  }

  /// What those rows attend to, themselves included.
  public long decodeContext() {
    return running.stream()
        .filter(sequence -> sequence.pending() == 1)
        .mapToLong(Sequence::length)
        .sum();
  }

  /// Queues a new sequence.
  public void add(Sequence sequence) {
    if (!canEverFit(sequence.maxLength())) {
      throw new IllegalArgumentException(
          "%d tokens never fit into %d blocks".formatted(sequence.maxLength(), blocks.capacity()));
    }
    waiting.addLast(sequence);
  }

  /// Has a sequence that waits let others pass: those that wait, and those that come. It is not
  /// passed for good: of some that are let in one is such a sequence.
  public void letPass(Sequence sequence) {
    waiting.letPass(sequence);
  }

  /// Ends a sequence, wherever it is, and frees its blocks.
  public void remove(Sequence sequence) {
    if (stopRunning(sequence)) {
      blocks.free(sequence);
    } else {
      waiting.remove(sequence);
      blocks.forget(sequence);
    }
  }

  private boolean stopRunning(Sequence sequence) {
    ahead.removeIf(part -> part.sequence().equals(sequence));
    return running.remove(sequence);
  }

  /// Stops a running sequence, which keeps its blocks until it is [let go][#letGo]. Returns false
  /// when it does not run.
  public boolean hold(Sequence sequence) {
    if (!stopRunning(sequence)) {
      return false;
    }
    blocks.settle(sequence);
    blocks.giveUpGrowth(sequence);
    held.add(sequence);
    return true;
  }

  /// Plans blocks for a new sequence, as many as it will fill before its last token, without
  /// running it, and gives it what is known of its tokens. Returns false, and changes nothing, when
  /// there are not so many.
  public boolean tryHold(Sequence sequence) {
    return blocks.tryAdmit(sequence, wholeBlocks(sequence)) && held.add(sequence);
  }

  private int wholeBlocks(Sequence sequence) {
    return (sequence.length() - 1) / blocks.tokensPerBlock();
  }

  /// Whether it is still held: one that is in the way of others is let go.
  public boolean holds(Sequence sequence) {
    return held.contains(sequence);
  }

  /// The next block of a sequence that [#tryHold] began; to be filled.
  public int nextBlock(Sequence sequence) {
    int index = sequence.computed() / blocks.tokensPerBlock();
    blocks.grow(sequence, (index + 1) * blocks.tokensPerBlock());
    return sequence.blocks().block(index);
  }

  /// Says that the next block has been filled: whoever has the same tokens finds it known.
  public void filled(Sequence sequence) {
    sequence.advance(blocks.tokensPerBlock());
    blocks.settle(sequence);
  }

  /// Takes the blocks of a held sequence back; what was complete stays known until it is in the
  /// way. Does nothing when it is not held.
  public void letGo(Sequence sequence) {
    if (held.remove(sequence)) {
      blocks.free(sequence);
    }
  }

  /// Takes the blocks of all held sequences back.
  public void letGoAll() {
    while (!held.isEmpty()) {
      letGo(held.getLast());
    }
  }

  /// The next step, as large as a step may be; see [#plan(StepBudget)].
  public StepPlan plan() {
    return plan(StepBudget.ofRows(settings.maxBatchTokens));
  }

  /// The next step; empty when there is nothing to do, or nothing before saved blocks have been
  /// read. The caller runs it and then calls [Sequence#advance] for every part that succeeded; a
  /// part that did not is planned again.
  ///
  /// @param budget of this step, where it is less than that of every step. Sequences that continue
  ///   are not held back by it, and beside them prompts get on by a few rows all the same
  public StepPlan plan(StepBudget budget) {
    running.forEach(blocks::settle);
    var parts = new ArrayList<Part>();
    planDecodes(parts);
    // What was just preempted would come straight back and push out the next one.
    if (preempted.isEmpty()) {
      admit();
    }
    planPrefills(budget, parts);
    planDrafts(budget, parts);
    var plan = new StepPlan(parts, preempted);
    preempted.clear();
    return plan;
  }

  /// The step after one that is under way, planned before the tokens are known that that one
  /// chooses: a row for each of its sequences but those whose last token is one of these. Empty
  /// where the step had anything but a row each of all running sequences, where others wait, and
  /// where there are no blocks that nobody plans; nobody gives up any for it. It is the next step:
  /// nothing else is planned before it was [taken][#takeAhead].
  ///
  /// @param step the parts of the step under way whose sequences still run
  public List<Part> planAhead(List<Part> step) {
    if (!waiting.isEmpty() || step.size() != running.size()) {
      return List.of();
    }
    var next = new ArrayList<Part>();
    for (Part part : step) {
      Sequence sequence = part.sequence();
      int from = part.from() + 1;
      if (!part.decodes() || !part.samples() || part.drafts() > 0) {
        return List.of();
      }
      if (from + 1 < sequence.maxLength()) {
        if (!blocks.tryPlanOwn(sequence, blocks.blocksFor(from + 1))) {
          return List.of();
        }
        next.add(new Part(sequence, from, 1));
      }
    }
    next.forEach(part -> blocks.grow(part.sequence(), part.from() + 1));
    ahead.addAll(next);
    return next;
  }

  /// The parts of the step that was planned ahead whose sequences have run on since then.
  public List<Part> takeAhead() {
    running.forEach(blocks::settle);
    List<Part> taken = List.copyOf(ahead);
    ahead.clear();
    return taken;
  }

  /// Moves what sequences that were put back have computed, before it has to: out, while its place
  /// is not needed yet, and near again, for the one that comes next.
  public void swapAhead() {
    blocks.saveAhead();
    if (!waiting.isEmpty()) {
      blocks.fetchAhead(waiting.head());
    }
  }

  /// No step of this budget that is planned now has more rows.
  public int mostRows(StepBudget budget) {
    int decodes = 0;
    int drafts = 0;
    long prompts = waiting.isEmpty() ? 0 : settings.maxBatchTokens;
    for (Sequence sequence : running) {
      if (sequence.pending() == 1) {
        decodes++;
        drafts += sequence.draft().length;
      } else {
        prompts += sequence.pending();
      }
    }
    int room = Math.max(budget.rows() - decodes, PrefillShares.LEAST_ROWS);
    long rows = decodes + drafts + Math.min(prompts, room + settings.rowsAtOnce() - 1);
    return (int) Math.min(rows, settings.maxBatchTokens);
  }

  /// Running sequences that continue come first: their readers wait for the next word.
  private void planDecodes(List<Part> parts) {
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      if (sequence.pending() != 1) {
        continue;
      }
      while (running.contains(sequence) && !tryExtend(sequence)) {
        if (held.isEmpty()) {
          preempted.add(preemptNewest());
        } else {
          letGo(held.getLast());
        }
      }
      if (running.contains(sequence) && blocks.tryGrow(sequence, sequence.length())) {
        parts.add(new Part(sequence, sequence.computed(), 1));
      }
    }
  }

  /// Raises the plan of a running sequence to its tokens. When no block is left to plan, others,
  /// the newest first, give up the growth that they have planned, though not the tokens that they
  /// have; then blocks from elsewhere are asked for.
  private boolean tryExtend(Sequence sequence) {
    int needed = blocks.blocksFor(sequence.length());
    for (int newest = running.size() - 1; newest >= 0; newest--) {
      if (blocks.tryPlanOwn(sequence, needed)) {
        return true;
      }
      blocks.giveUpGrowth(running.get(newest));
    }
    return blocks.tryPlan(sequence, needed);
  }

  private Sequence preemptNewest() {
    Sequence newest = running.getLast();
    stopRunning(newest);
    blocks.preempt(newest);
    waiting.addFirst(newest);
    return newest;
  }

  /// Strictly in the order of the line: when the head does not fit, nobody overtakes it.
  private void admit() {
    while (running.size() < settings.maxSequences && !waiting.isEmpty()) {
      Sequence head = waiting.head();
      if (!blocks.tryAdmit(head, blocksToAdmit(head))) {
        return;
      }
      waiting.removeHead();
      running.add(head);
    }
  }

  private int blocksToAdmit(Sequence sequence) {
    int longest = Math.min(sequence.maxLength() - 1, sequence.length() + settings.growthTokens);
    return blocks.blocksFor(Math.max(sequence.length(), longest));
  }

  private void planPrefills(StepBudget budget, List<Part> parts) {
    var prompts = new ArrayList<Sequence>();
    for (Sequence sequence : running) {
      if (parts.stream().noneMatch(part -> part.sequence() == sequence)) {
        blocks.reuse(sequence);
        if (!sequence.awaitsSaved()) {
          prompts.add(sequence);
        }
      }
    }
    int most = settings.maxBatchTokens - parts.size();
    int rows = Math.min(most, Math.max(budget.rows() - parts.size(), PrefillShares.LEAST_ROWS));
    var fill = new PrefillShares.Fill(parts.size(), settings.rowsAtOnce, most);
    promptRows = 0;
    int[] chunks = new PrefillShares(budget, rows, settings.maxScoredRows).divide(prompts, fill);
    for (int i = 0; i < chunks.length; i++) {
      Sequence sequence = prompts.get(i);
      if (chunks[i] > 0 && blocks.tryGrow(sequence, sequence.computed() + chunks[i])) {
        parts.add(new Part(sequence, sequence.computed(), chunks[i]));
        promptRows += chunks[i];
      }
    }
  }

  /// Drafts take what is left, and no block that another sequence could have.
  private void planDrafts(StepBudget budget, List<Part> parts) {
    int left = budget.rows() - parts.stream().mapToInt(Part::count).sum();
    for (int i = 0; i < parts.size() && left > 0; i++) {
      Part part = parts.get(i);
      Sequence sequence = part.sequence();
      int most = Math.min(left, sequence.maxLength() - 1 - sequence.length());
      int rows = part.decodes() ? Math.min(sequence.draft().length, most) : 0;
      int length = sequence.length() + rows;
      if (rows > 0
          && blocks.tryPlanOwn(sequence, blocks.blocksFor(length))
          && blocks.tryGrow(sequence, length)) {
        parts.set(i, new Part(sequence, part.from(), part.count(), rows));
        left -= rows;
      }
    }
  }

  /// Blocks, beyond those they have, that sequences that continue take within so many steps.
  public int blocksWithin(int steps) {
    int count = 0;
    for (Sequence sequence : running) {
      if (sequence.pending() == 1) {
        int length = Math.min(sequence.length() + steps, sequence.maxLength()) - 1;
        count += Math.max(0, blocks.blocksFor(length) - sequence.blocks().size());
      }
    }
    return count;
  }

  /// Rows of prompts in the last plan.
  public int promptRows() {
    return promptRows;
  }

  /// Planned blocks, beyond those they have, that running prompts take in a step of so many rows,
  /// or in the next ones.
  public int promptBlocks(int rows) {
    int most = blocks.blocksFor(rows);
    int count = 0;
    for (Sequence sequence : running) {
      if (sequence.pending() > 1) {
        count += Math.max(0, sequence.plannedBlocks() - sequence.blocks().size());
      }
    }
    return Math.min(most, count);
  }

  /// Blocks that those who wait would plan, as far as they could run.
  public int waitingBlocks() {
    return waiting.stream()
        .limit(settings.maxSequences - running.size())
        .mapToInt(this::blocksToAdmit)
        .sum();
  }

  /// Lowers the capacity. Running sequences give up the growth that they have planned, the newest
  /// first, held ones are let go, and where that is not enough the newest are preempted. The caller
  /// moves the contents of blocks.
  public BlockMoves shrinkTo(int capacity) {
    for (int i = running.size() - 1; i >= 0 && blocks.planned() > capacity; i--) {
      blocks.giveUpGrowth(running.get(i));
    }
    while (blocks.planned() > capacity && !held.isEmpty()) {
      letGo(held.getLast());
    }
    while (blocks.planned() > capacity) {
      preempted.add(preemptNewest());
    }
    return blocks.shrinkTo(capacity);
  }
}
