package dev.weft.runtime.memory;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;

/// Keys and values of texts that were computed once, for whoever begins with the same tokens. A
/// radix tree over whole blocks: each node is one block, and the path to it spells all tokens up to
/// its end, on which its contents depend.
///
/// ```
///   root of a key -- [The cat sat] -- [on the mat]    users: the paths that lead through a node
///                 \                 \- [on a chair]   idle: no path does; only the cache holds it
///                  \- [A dog ...] -- (barked at)      saved: it has no block, but a slot in a store
/// ```
///
/// A sequence [enters][#enter] a tree, [follows][#tryFollow] it as far as its tokens are known,
/// [adds][#add] the blocks that it completes, and [leaves][#leave]. A node in use keeps all nodes
/// before it in use, so idle nodes end in idle leaves, and these are [evicted][#evict], the least
/// recently used first. Shared blocks are complete: nobody writes to them any more.
///
/// What is evicted and is likely to be wanted again, because somebody shared it or a sequence that
/// was put back [claims][#claim] it, is saved in a [BlockStore] and comes [back][#tryRestore] from
/// there. A node with a block never follows a saved one. What is claimed and idle is
/// [copied][#saveAhead] to the store before its place is needed: to evict it costs nothing then.
///
/// Trees of different keys share nothing. A key stands for all that tokens do not say and contents
/// depend on, such as an adapter; it must not be used again for something else.
public final class PrefixCache {
  private final BlockPool pool;
  private final int blockTokens;
  private final BlockStore store;
  private final Map<Long, PrefixNode> roots = new HashMap<>();
  private final NavigableSet<PrefixNode> idleLeaves = byLastUse();
  private final NavigableSet<PrefixNode> unclaimedSavedLeaves = byLastUse();

  /// Claims with blocks that may still have to be copied, in the order in which they are evicted.
  private final Set<Claim> uncopied = new LinkedHashSet<>();

  private int idleBlocks;
  private long uses;

  /// @param pool the pool of all sequences' blocks, and of the cache's
  public PrefixCache(BlockPool pool, int blockTokens, BlockStore store) {
    this.pool = pool;
    this.blockTokens = blockTokens;
    this.store = store;
  }

  private static NavigableSet<PrefixNode> byLastUse() {
    return new TreeSet<>(Comparator.comparingLong(node -> node.lastUse));
  }

  /// Where a sequence stands in a tree: its first [#length] blocks are the cache's as well.
  public static final class Path {
    private PrefixNode end;
    private int length;

    private Path(PrefixNode root) {
      end = root;
    }

    public int length() {
      return length;
    }
  }

  /// Begins at the root of `key`.
  public Path enter(long key) {
    PrefixNode root =
        roots.computeIfAbsent(key, k -> new PrefixNode(k, null, new PrefixNode.Tokens(new int[0])));
    root.users++;
    return new Path(root);
  }

  /// If the cache holds the next block of `path`, which has these tokens, adds it to `table`, the
  /// sequence's own.
  public boolean tryFollow(Path path, int[] tokens, BlockTable table) {
    checkBlock(path, tokens, table.size() == path.length);
    PrefixNode next = path.end.children.get(new PrefixNode.Tokens(tokens));
    if (next == null || next.saved()) {
      return false;
    }
    next.shared = true;
    pool.share(table, next.block.block(0));
    step(path, next);
    return true;
  }

  /// Whether the next block of `path` is saved.
  public boolean nextIsSaved(Path path, int[] tokens) {
    PrefixNode next = path.end.children.get(new PrefixNode.Tokens(tokens));
    return next != null && next.saved();
  }

  /// Whether the next block of `path`, which is saved, can come back without waiting. Asks for it,
  /// and for what is saved behind it.
  ///
  /// @param tokens of the blocks that follow, the next one's first
  public boolean fetch(Path path, List<int[]> tokens) {
    boolean ready = true;
    PrefixNode node = path.end;
    for (int i = 0; i < tokens.size(); i++) {
      node = node.children.get(new PrefixNode.Tokens(tokens.get(i)));
      if (node == null || !node.saved()) {
        break;
      }
      boolean here = store.ready(node.slot);
      ready = i == 0 ? here : ready;
    }
    return ready;
  }

  /// Brings the next block of `path`, which is saved, back into the block that `table` has for it.
  /// Returns false when it is lost: the block must be computed.
  public boolean tryRestore(Path path, int[] tokens, BlockTable table) {
    checkBlock(path, tokens, table.size() == path.length + 1);
    PrefixNode next = path.end.children.get(new PrefixNode.Tokens(tokens));
    if (next == null || !next.saved()) {
      throw new IllegalArgumentException("block %d is not saved".formatted(path.length));
    }
    unclaimedSavedLeaves.remove(next);
    int slot = next.slot;
    next.slot = BlockStore.NOT_SAVED;
    if (!store.load(slot, table.block(path.length))) {
      drop(next);
      return false;
    }
    next.shared = true;
    hold(next, table.block(path.length));
    step(path, next);
    return true;
  }

  /// Whether the last block of `path`, which `table` has, is still on its way from the store.
  public boolean lastIsArriving(Path path, BlockTable table) {
    return path.length > 0 && store.arriving(table.block(path.length - 1));
  }

  /// Takes the next block of `path`, complete with these tokens, out of the sequence's `table`.
  /// Where the cache holds the same already, the table gets the cache's instead. Returns blocks
  /// that this frees.
  public int[] add(Path path, int[] tokens, BlockTable table) {
    checkBlock(path, tokens, table.size() > path.length);
    var key = new PrefixNode.Tokens(tokens.clone());
    PrefixNode next = path.end.children.get(key);
    int[] freed = {};
    if (next == null) {
      next = new PrefixNode(path.end.key, path.end, key);
      path.end.children.put(key, next);
      hold(next, table.block(path.length));
    } else if (next.saved()) {
      unclaimedSavedLeaves.remove(next);
      store.drop(next.slot);
      next.slot = BlockStore.NOT_SAVED;
      hold(next, table.block(path.length));
    } else {
      freed = pool.replace(table, path.length, next.block.block(0));
    }
    step(path, next);
    return freed;
  }

  private void checkBlock(Path path, int[] tokens, boolean tableFits) {
    if (tokens.length != blockTokens || !tableFits) {
      throw new IllegalArgumentException(
          "%d tokens are not block %d of the table".formatted(tokens.length, path.length));
    }
  }

  private void hold(PrefixNode node, int block) {
    pool.share(node.block, block);
    parentOf(node).childrenWithBlocks++;
    idleBlocks++;
  }

  private void step(Path path, PrefixNode next) {
    if (next.users++ == 0) {
      idleLeaves.remove(next);
      idleBlocks--;
      dropCopy(next);
    }
    path.end = next;
    path.length++;
  }

  private static PrefixNode parentOf(PrefixNode node) {
    if (node.parent == null) {
      throw new IllegalStateException("a root has no block");
    }
    return node.parent;
  }

  /// Ends a path. What nobody else uses stays until its blocks are needed.
  public void leave(Path path) {
    for (PrefixNode node = path.end; node != null; node = node.parent) {
      if (--node.users > 0) {
        continue;
      }
      if (node.isRoot()) {
        forgetIfUnused(node);
        continue;
      }
      idleBlocks++;
      node.lastUse = ++uses;
      addIfIdleLeaf(node);
    }
  }

  private void addIfIdleLeaf(PrefixNode node) {
    if (!node.isRoot() && node.users == 0 && node.childrenWithBlocks == 0) {
      idleLeaves.add(node);
    }
  }

  private void forgetIfUnused(PrefixNode root) {
    if (root.users == 0 && root.children.isEmpty()) {
      roots.remove(root.key, root);
    }
  }

  /// What somebody will come back for.
  public static final class Claim {
    private final PrefixNode end;

    /// The next one that may have to be copied: the end first, as it is evicted first.
    private PrefixNode next;

    private Claim(PrefixNode end) {
      this.end = end;
      next = end;
    }
  }

  /// Says that a path that is about to end will be followed again.
  public Claim claim(Path path) {
    for (PrefixNode node = path.end; node != null; node = node.parent) {
      node.claims++;
    }
    var claim = new Claim(path.end);
    uncopied.add(claim);
    return claim;
  }

  public void unclaim(Claim claim) {
    uncopied.remove(claim);
    for (PrefixNode node = claim.end; node != null; node = node.parent) {
      if (--node.claims == 0) {
        dropCopy(node);
      }
      addIfUnclaimedSavedLeaf(node);
    }
  }

  /// Copies claimed blocks to the store, as many as it takes ahead.
  public void saveAhead() {
    uncopied.removeIf(this::copiedUpToRoot);
  }

  private boolean copiedUpToRoot(Claim claim) {
    PrefixNode node = claim.next;
    for (; node.parent != null; node = node.parent) {
      boolean idle = node.users == 0 && node.block.size() > 0;
      if (idle && !node.copied() && !tryCopy(node)) {
        break;
      }
    }
    claim.next = node;
    return node.isRoot();
  }

  private boolean tryCopy(PrefixNode node) {
    makeRoom(node);
    node.slot = store.saveAhead(node.block.block(0), node.index);
    return node.copied();
  }

  /// Asks the store for saved blocks of a claim, those that are needed first, as many as it gives
  /// ahead.
  public void fetchAhead(Claim claim) {
    var saved = new ArrayDeque<PrefixNode>();
    for (PrefixNode node = claim.end; node != null; node = node.parent) {
      if (node.saved()) {
        saved.push(node);
      }
    }
    while (!saved.isEmpty() && store.fetchAhead(saved.pop().slot)) {}
  }

  /// A copy of what is used, or claimed by nobody, only takes room.
  private void dropCopy(PrefixNode node) {
    if (node.copied()) {
      store.drop(node.slot);
      node.slot = BlockStore.NOT_SAVED;
    }
  }

  private void addIfUnclaimedSavedLeaf(PrefixNode node) {
    if (node.saved() && node.claims == 0 && node.children.isEmpty()) {
      unclaimedSavedLeaves.add(node);
    }
  }

  /// Blocks that only the cache holds: all of them can be evicted.
  public int idleBlocks() {
    return idleBlocks;
  }

  /// Takes up to `count` idle blocks away, and returns them, free now.
  public int[] evict(int count) {
    return evict(Math.min(count, idleBlocks), true);
  }

  /// @param keep whether the store may keep what they hold
  private int[] evict(int count, boolean keep) {
    int[] freed = new int[count];
    for (int i = 0; i < freed.length; i++) {
      PrefixNode leaf = idleLeaves.pollFirst();
      if (leaf == null) {
        throw new IllegalStateException("%d idle blocks, and none is a leaf".formatted(idleBlocks));
      }
      freed[i] = evict(leaf, keep);
    }
    return freed;
  }

  private int evict(PrefixNode leaf, boolean keep) {
    int block = leaf.block.block(0);
    if (!keep) {
      dropCopy(leaf);
    } else if (!leaf.copied() && (leaf.claims > 0 || leaf.shared)) {
      leaf.slot = save(block, leaf);
    }
    if (pool.release(leaf.block).length != 1) {
      throw new IllegalStateException("an idle block is held by a sequence");
    }
    idleBlocks--;
    PrefixNode parent = parentOf(leaf);
    parent.childrenWithBlocks--;
    addIfIdleLeaf(parent);
    if (leaf.saved()) {
      addIfUnclaimedSavedLeaf(leaf);
    } else {
      drop(leaf);
    }
    return block;
  }

  private int save(int block, PrefixNode node) {
    makeRoom(node);
    return store.save(block, node.index);
  }

  /// Contents that nobody claims make room for those that somebody does.
  private void makeRoom(PrefixNode node) {
    if (node.claims > 0 && !unclaimedSavedLeaves.isEmpty() && store.full()) {
      drop(unclaimedSavedLeaves.removeFirst());
    }
  }

  /// Forgets a node without a block and all saved ones that follow it.
  private void drop(PrefixNode node) {
    List.copyOf(node.children.values()).forEach(this::drop);
    if (node.saved()) {
      unclaimedSavedLeaves.remove(node);
      store.drop(node.slot);
      node.slot = BlockStore.NOT_SAVED;
    }
    PrefixNode parent = parentOf(node);
    parent.children.remove(node.tokens);
    addIfUnclaimedSavedLeaf(parent);
    if (parent.isRoot()) {
      forgetIfUnused(parent);
    }
  }

  /// Forgets everything that nobody uses, saved or not, and returns the blocks that this frees.
  public int[] clear() {
    int[] freed = evict(idleBlocks, false);
    for (PrefixNode root : List.copyOf(roots.values())) {
      dropSaved(root);
    }
    return freed;
  }

  private void dropSaved(PrefixNode node) {
    for (PrefixNode child : List.copyOf(node.children.values())) {
      if (child.saved()) {
        drop(child);
      } else {
        dropSaved(child);
      }
    }
  }
}
