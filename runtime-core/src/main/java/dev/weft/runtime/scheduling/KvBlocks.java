package dev.weft.runtime.scheduling;

import dev.weft.runtime.memory.BlockMoves;
import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.memory.BlockStore;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.memory.BlockTable;
import dev.weft.runtime.memory.PrefixCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/// The KV blocks of one instance, as its planner sees them: who has how many, who may have how
/// many, and what is kept for those to come. Used by one thread, but for [#canEverHold].
///
/// Every running sequence has a *plan*, the most blocks that it may hold. What plans promise beyond
/// what sequences hold never exceeds the blocks that are free or hold idle prefixes, so growing
/// within a plan cannot fail.
///
/// ```
///   capacity | held by sequences, a shared block once | promised | unplanned            |
///                                                     | free, or idle in the prefix cache |
/// ```
public final class KvBlocks {
  /// Saved blocks of a sequence that are asked for at once.
  private static final int FETCHED_AHEAD = 8;

  private final int tokensPerBlock;
  private final BlockPool pool;
  private final PrefixCache prefixes;
  private final BlockSupply supply;
  private final Consumer<int[]> onRelease;
  private int promised;
  private long reusedTokens;
  private long evictedBlocks;

  /// @param supply where more blocks come from
  /// @param store where contents go when their blocks are needed
  /// @param onRelease hears of blocks that hold nothing any more
  public KvBlocks(
      int tokensPerBlock,
      BlockPool pool,
      BlockSupply supply,
      BlockStore store,
      Consumer<int[]> onRelease) {
    if (tokensPerBlock < 1) {
      throw new IllegalArgumentException(tokensPerBlock + " tokens a block");
    }
    this.tokensPerBlock = tokensPerBlock;
    this.pool = pool;
    this.supply = supply;
    this.onRelease = onRelease;
    prefixes = new PrefixCache(pool, tokensPerBlock, store);
  }

  int tokensPerBlock() {
    return tokensPerBlock;
  }

  int blocksFor(int tokens) {
    return Math.ceilDiv(tokens, tokensPerBlock);
  }

  public int capacity() {
    return pool.blockCount();
  }

  /// Whether so many tokens fit when one sequence has all blocks that there can be.
  public boolean canEverHold(int tokens) {
    return blocksFor(tokens) <= Math.max(pool.blockCount(), supply.reachable());
  }

  /// Blocks that sequences hold.
  public int actual() {
    return pool.usedCount() - prefixes.idleBlocks();
  }

  /// Blocks that sequences hold or may come to hold.
  public int planned() {
    return actual() + promised;
  }

  /// Blocks that hold nothing.
  public int free() {
    return pool.freeCount();
  }

  /// Takes over blocks that came before they were needed.
  public void extend(int more) {
    pool.setCapacity(pool.blockCount() + more);
  }

  /// Blocks that hold something.
  public int used() {
    return pool.usedCount();
  }

  /// Idle prefixes that would be dropped if their blocks were needed.
  public int cached() {
    return prefixes.idleBlocks();
  }

  /// Prompt tokens, so far, that were not computed because they were known.
  public long reusedTokens() {
    return reusedTokens;
  }

  /// Blocks of prefixes dropped so far.
  public long evictedBlocks() {
    return evictedBlocks;
  }

  private int unplanned() {
    return pool.blockCount() - planned();
  }

  /// Gives a sequence that holds nothing a plan of `blocks`, and what is known of its tokens; or
  /// changes nothing and returns false when there are not so many blocks.
  boolean tryAdmit(Sequence sequence, int blocks) {
    sequence.enter(prefixes.enter(sequence.cacheKey()));
    int known = follow(sequence);
    if (!tryPlan(sequence, blocks)) {
      pool.release(sequence.blocks());
      prefixes.leave(sequence.path());
      sequence.forget();
      return false;
    }
    reusedTokens += sequence.reuse(known);
    restore(sequence);
    return true;
  }

  /// Brings back what was saved of a running sequence's next tokens, as far as it is at hand; for
  /// the rest the sequence waits, while others run.
  private void restore(Sequence sequence) {
    int restored = 0;
    while (tryRestoreNext(sequence)) {
      restored += tokensPerBlock;
    }
    reusedTokens += sequence.reuse(restored);
    if (prefixes.lastIsArriving(sequence.path(), sequence.blocks())) {
      sequence.awaitSaved(true);
    }
    if (!sequence.awaitsSaved()) {
      forget(sequence);
    }
  }

  private boolean tryRestoreNext(Sequence sequence) {
    sequence.awaitSaved(false);
    List<int[]> following = following(sequence);
    if (following.isEmpty() || !prefixes.nextIsSaved(sequence.path(), following.getFirst())) {
      return false;
    }
    if (!prefixes.fetch(sequence.path(), following)) {
      sequence.awaitSaved(true);
      return false;
    }
    // Room for it may be what it had to make room for.
    return tryGrow(sequence, (sequence.path().length() + 1) * tokensPerBlock)
        && prefixes.nextIsSaved(sequence.path(), following.getFirst())
        && prefixes.tryRestore(sequence.path(), following.getFirst(), sequence.blocks());
  }

  /// The tokens of the next blocks that may be known; none of a prompt whose every row is asked
  /// for.
  private List<int[]> following(Sequence sequence) {
    var following = new ArrayList<int[]>();
    int next = sequence.path().length() * tokensPerBlock;
    while (!sequence.scored()
        && following.size() < FETCHED_AHEAD
        && next + tokensPerBlock < sequence.length()) {
      following.add(sequence.tokens(next, tokensPerBlock));
      next += tokensPerBlock;
    }
    return following;
  }

  /// Raises a sequence's plan to `blocks`, if need be with blocks from elsewhere, or changes
  /// nothing and returns false.
  boolean tryPlan(Sequence sequence, int blocks) {
    int missing = blocks - planOf(sequence) - unplanned();
    if (missing > 0) {
      extend(supply.grow(missing));
    }
    return tryPlanOwn(sequence, blocks);
  }

  /// The same with the blocks that there are.
  boolean tryPlanOwn(Sequence sequence, int blocks) {
    if (blocks - planOf(sequence) > unplanned()) {
      return false;
    }
    setPlan(sequence, Math.max(blocks, sequence.plannedBlocks()));
    return true;
  }

  private static int planOf(Sequence sequence) {
    return Math.max(sequence.plannedBlocks(), sequence.blocks().size());
  }

  /// Lowers a sequence's plan to what its tokens need.
  void giveUpGrowth(Sequence sequence) {
    int needed = Math.max(blocksFor(sequence.length()), sequence.blocks().size());
    setPlan(sequence, Math.min(sequence.plannedBlocks(), needed));
  }

  private void setPlan(Sequence sequence, int blocks) {
    promised -= promise(sequence);
    sequence.plan(blocks);
    promised += promise(sequence);
  }

  private static int promise(Sequence sequence) {
    return Math.max(0, sequence.plannedBlocks() - sequence.blocks().size());
  }

  /// Gives a sequence the blocks for `tokens` tokens, within its plan, or throws where there is no
  /// memory for what was planned.
  void grow(Sequence sequence, int tokens) {
    if (!tryGrow(sequence, tokens)) {
      throw new IllegalStateException("blocks were planned, and their memory did not come");
    }
  }

  /// The same, or changes nothing and returns false where there is no memory for what was planned.
  boolean tryGrow(Sequence sequence, int tokens) {
    int blocks = blocksFor(tokens);
    int before = sequence.blocks().size();
    if (blocks > sequence.plannedBlocks()) {
      throw new IllegalStateException(
          "%d blocks needed, %d planned".formatted(blocks, sequence.plannedBlocks()));
    }
    int missing = blocks - before - pool.freeCount();
    if (missing > 0) {
      evict(missing);
    }
    promised -= promise(sequence);
    boolean grown = pool.tryGrow(sequence.blocks(), blocks);
    promised += promise(sequence);
    if (!grown) {
      throw new IllegalStateException(
          "%d blocks planned, %d free".formatted(blocks, pool.freeCount()));
    }
    if (supply.ready(pool.highWater())) {
      return true;
    }
    promised -= promise(sequence);
    pool.shrink(sequence.blocks(), before);
    promised += promise(sequence);
    return false;
  }

  /// Blocks that hold nothing, lent for a step that is run for its time alone; empty when fewer are
  /// free. They come back by [#takeBack] before anything else happens here.
  public Optional<BlockTable> tryLend(int count) {
    var lent = new BlockTable();
    if (pool.tryGrow(lent, count) && supply.ready(pool.highWater())) {
      return Optional.of(lent);
    }
    pool.release(lent);
    return Optional.empty();
  }

  /// Takes back what was lent, whatever was written to it.
  public void takeBack(BlockTable lent) {
    release(pool.release(lent));
  }

  private void evict(int count) {
    int[] evicted = prefixes.evict(count);
    evictedBlocks += evicted.length;
    release(evicted);
  }

  private void release(int[] blocks) {
    if (blocks.length > 0) {
      onRelease.accept(blocks);
    }
  }

  /// Takes over what became known of a running sequence's next tokens, from others that went ahead.
  void reuse(Sequence sequence) {
    if (sequence.computed() == sequence.path().length() * tokensPerBlock
        && sequence.blocks().size() == sequence.path().length()) {
      promised -= promise(sequence);
      int known = follow(sequence);
      promised += promise(sequence);
      reusedTokens += sequence.reuse(known);
      restore(sequence);
    }
  }

  /// Follows known blocks of all tokens but the last one: the token after it is chosen from its
  /// row. Nothing is known of a prompt whose every row is asked for. Returns the tokens.
  private int follow(Sequence sequence) {
    int from = sequence.computed();
    int next = from;
    while (!sequence.scored()
        && next + tokensPerBlock < sequence.length()
        && prefixes.tryFollow(
            sequence.path(), sequence.tokens(next, tokensPerBlock), sequence.blocks())) {
      next += tokensPerBlock;
    }
    return next - from;
  }

  /// Keeps the blocks that a sequence has completed for others, and takes back those beyond its
  /// tokens, in which drafts were checked and found wrong.
  void settle(Sequence sequence) {
    int next = sequence.path().length();
    for (; (next + 1) * tokensPerBlock <= sequence.computed(); next++) {
      int[] tokens = sequence.tokens(next * tokensPerBlock, tokensPerBlock);
      release(prefixes.add(sequence.path(), tokens, sequence.blocks()));
    }
    promised -= promise(sequence);
    release(pool.shrink(sequence.blocks(), blocksFor(sequence.length())));
    promised += promise(sequence);
  }

  /// Takes all blocks of a sequence back. What it completed stays known until it is in the way.
  void free(Sequence sequence) {
    settle(sequence);
    promised -= promise(sequence);
    int[] released = pool.release(sequence.blocks());
    prefixes.leave(sequence.path());
    sequence.forget();
    forget(sequence);
    release(released);
  }

  /// Takes all blocks of a sequence back that will come again: what it completed is saved rather
  /// than dropped when it is in the way.
  void preempt(Sequence sequence) {
    settle(sequence);
    var claim = prefixes.claim(sequence.path());
    free(sequence);
    sequence.claim(claim);
  }

  /// Has blocks of preempted sequences copied to the store before they are in the way.
  void saveAhead() {
    prefixes.saveAhead();
  }

  /// Has what was saved of a preempted sequence brought near before it comes again.
  void fetchAhead(Sequence sequence) {
    sequence.claim().ifPresent(prefixes::fetchAhead);
  }

  /// Says that a sequence has come again, or never will.
  void forget(Sequence sequence) {
    sequence.endClaim().ifPresent(prefixes::unclaim);
  }

  /// Lowers the capacity, dropping as many idle prefixes as that takes; the caller moves blocks'
  /// contents. Throws [IllegalStateException] when more blocks are [planned][#planned].
  public BlockMoves shrinkTo(int capacity) {
    if (capacity < planned()) {
      throw new IllegalStateException(
          "%d blocks are planned, more than %d".formatted(planned(), capacity));
    }
    evict(Math.max(0, pool.usedCount() - capacity));
    return pool.shrinkTo(capacity);
  }

  /// Drops all that nobody uses and throws unless every block is free then. For an instance's end.
  public void checkNothingIsHeld() {
    release(prefixes.clear());
    pool.checkIntegrity();
    if (pool.usedCount() > 0 || promised != 0) {
      throw new IllegalStateException(
          "%d blocks are held and %d promised at the end".formatted(pool.usedCount(), promised));
    }
  }
}
