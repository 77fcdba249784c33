package dev.weft.runtime.engine;

import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.memory.BlockMoves;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.Tenant;
import dev.weft.runtime.scheduling.KvBlocks;
import dev.weft.runtime.scheduling.StepPlanner;

/// A decoder's part in the device's memory: says what it uses, gives up what others need, and has
/// blocks ready before a step asks. On the device's thread.
final class ElasticKv implements Tenant, AutoCloseable {
  private final KvShare share;
  private final KvBlocks blocks;
  private final StepPlanner planner;
  private final DecoderExecutable executable;

  ElasticKv(KvShare share, KvBlocks blocks, StepPlanner planner, DecoderExecutable executable) {
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
  public int shrinkTo(int capacity) {
    BlockMoves moves = planner.shrinkTo(capacity);
    if (moves.count() > 0) {
      executable.moveBlocks(moves.from(), moves.to());
    }
    return moves.count();
  }

  /// Maps what the next steps may need, out of memory that nobody holds: a step seldom waits for it
  /// then, and cached prefixes are dropped only when there is none.
  void getAhead() {
    int growth = blocks.planned() - blocks.actual() + planner.runningCount();
    int missing = growth + planner.waitingBlocks() - blocks.free();
    if (missing > 0) {
      blocks.extend(share.growAhead(missing));
    }
  }

  @Override
  public void close() {
    share.close();
  }
}
