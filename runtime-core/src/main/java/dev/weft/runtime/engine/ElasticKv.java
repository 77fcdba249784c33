package dev.weft.runtime.engine;

import dev.weft.autoscaler.memory.KvWatermark;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.memory.BlockMoves;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.Tenant;
import dev.weft.runtime.scheduling.KvBlocks;
import dev.weft.runtime.scheduling.StepPlanner;
import java.time.Duration;

/// A decoder's part in the device's memory: says what it uses, gives up what others need, and has
/// blocks ready before a step asks. On the device's thread.
final class ElasticKv implements Tenant, AutoCloseable {
  /// Blocks that nobody uses stay mapped so long after the last step: the next request finds them.
  private static final Duration KEPT_UNUSED = Duration.ofSeconds(10);

  /// Growth beyond the need, so that the next steps do not ask again. Nothing is given back for it:
  /// others take what is not used when they need it.
  private static final KvWatermark WATERMARK = new KvWatermark(0.25, 0);

  /// What sequences that continue take within so many steps is mapped before the first of these,
  /// beside steps: those that were submitted together need their next blocks in one step, and none
  /// in the steps between.
  private static final int STEPS_AHEAD = 8;

  /// Mapped beside a step, at the most, of what these steps take: twice a step's part.
  private static final int PART_AT_ONCE = STEPS_AHEAD / 2;

  private final KvShare share;
  private final KvBlocks blocks;
  private final StepPlanner planner;
  private final DecoderExecutable executable;
  private final int priority;
  private long expectedBlocks;
  private int mostPromptRows;
  private long usedAt;
  private boolean trimmed = true;

  ElasticKv(
      KvShare share,
      KvBlocks blocks,
      StepPlanner planner,
      DecoderExecutable executable,
      int priority) {
    this.priority = priority;
    this.share = share;
    this.blocks = blocks;
    this.planner = planner;
    this.executable = executable;
  }

  @Override
  public Demand demand() {
    return new Demand(blocks.planned(), blocks.cached(), planner.waitingBlocks());
  }

  @Override
  public int priority() {
    return priority;
  }

  @Override
  public int shrinkTo(int capacity) {
    BlockMoves moves = planner.shrinkTo(capacity);
    if (moves.count() > 0) {
      executable.moveBlocks(moves.from(), moves.to());
    }
    return moves.count();
  }

  /// Says how many blocks the sequences that run are expected to need soon.
  void expect(long blocks) {
    expectedBlocks = blocks;
  }

  /// Before a step is planned: maps for what is new. A step of sequences that run finds what it
  /// takes, and nothing is mapped while it could run.
  void prepare(long nanoTime) {
    share.makeDo();
    if (planner.waitingCount() > 0 || planner.blocksWithin(1) > blocks.free()) {
      getAhead(nanoTime, planner.blocksWithin(STEPS_AHEAD), 0);
    }
  }

  /// Beside a step: maps what was granted and the next steps may take, prompts as much as a step
  /// has of them, and has ready what else may be needed, and a watermark more, out of memory that
  /// nobody holds. A step seldom waits for it then, and cached prefixes are dropped only when there
  /// is none.
  void getAhead(long nanoTime) {
    int soon = planner.blocksWithin(STEPS_AHEAD);
    int part = Math.ceilDiv(soon, PART_AT_ONCE);
    mostPromptRows = Math.max(mostPromptRows, planner.promptRows());
    int rows = Math.max(mostPromptRows, PrefillPace.GROWTH * planner.promptRows());
    int prompts = planner.promptBlocks(rows);
    share.readyAhead(blocks.used() + soon + prompts, part + prompts);
    getAhead(nanoTime, soon, part);
  }

  /// @param soon blocks that sequences which continue take within the next steps
  /// @param atOnce of them, where they are more than is mapped at once otherwise
  private void getAhead(long nanoTime, int soon, int atOnce) {
    usedAt = nanoTime;
    trimmed = false;
    long asked = (long) blocks.planned() + planner.runningCount() + planner.waitingBlocks();
    long needed = Math.max(Math.max(asked, expectedBlocks), (long) blocks.actual() + soon);
    long held = (long) blocks.capacity() - blocks.cached();
    if (needed <= held) {
      return;
    }
    long room = Math.max(0, (long) share.reachable() - blocks.capacity());
    long target =
        switch (WATERMARK.decide(needed, held, room)) {
          case KvWatermark.Grow(var more) -> more;
          case KvWatermark.Lacks _ -> needed;
          case KvWatermark.Keep _, KvWatermark.Shrink _ -> held;
        };
    blocks.extend(share.growAhead(Math.toIntExact(target - held), atOnce));
  }

  /// Maps blocks until so many are free, as far as there is memory that nobody holds.
  void makeFree(int count) {
    int missing = count - blocks.free();
    if (missing > 0) {
      trimmed = false;
      blocks.extend(share.growAhead(missing, 0));
    }
  }

  /// Gives the memory back that has not been used for a while; cached prefixes stay.
  void idle(long nanoTime) {
    if (!trimmed && nanoTime - usedAt > KEPT_UNUSED.toNanos()) {
      share.trim();
      trimmed = true;
    }
  }

  @Override
  public void close() {
    share.close();
  }
}
