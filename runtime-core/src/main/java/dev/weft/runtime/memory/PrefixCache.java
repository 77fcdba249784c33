package dev.weft.runtime.memory;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Keys and values of texts that were computed once, for whoever begins with the same tokens. A
/// radix tree over whole blocks: each node is one block, and the path to it spells all tokens up to
/// its end, on which its contents depend.
///
/// ```
///   root of a key -- [The cat sat] -- [on the mat]    users: the paths that lead through a node
///                 \                 \- [on a chair]   idle: no path does; only the cache holds it
///                  \- [A dog ...]
/// ```
///
/// A sequence [enters][#enter] a tree, [follows][#tryFollow] it as far as its tokens are known,
/// [adds][#add] the blocks that it completes, and [leaves][#leave]. A node in use keeps all nodes
/// before it in use, so idle nodes end in idle leaves, and these are [evicted][#evict], the least
/// recently used first. Shared blocks are complete: nobody writes to them any more.
///
/// Trees of different keys share nothing. A key stands for all that tokens do not say and contents
/// depend on, such as an adapter; it must not be used again for something else.
public final class PrefixCache {
  private final BlockPool pool;
  private final int blockTokens;
  private final Map<Long, Node> roots = new HashMap<>();
  private final TreeSet<Node> idleLeaves = new TreeSet<>(Comparator.comparingLong(n -> n.lastUse));
  private int idleBlocks;
  private long uses;

  /// @param pool the pool of all sequences' blocks, and of the cache's
  public PrefixCache(BlockPool pool, int blockTokens) {
    this.pool = pool;
    this.blockTokens = blockTokens;
  }

  private static final class Node {
    private final long key;
    private final @Nullable Node parent;
    private final Tokens tokens;
    private final BlockTable block = new BlockTable();
    private final Map<Tokens, Node> children = new HashMap<>(2);
    private int users;
    private long lastUse;

    Node(long key, @Nullable Node parent, Tokens tokens) {
      this.key = key;
      this.parent = parent;
      this.tokens = tokens;
    }
  }

  @SuppressWarnings("ArrayRecordComponent")
  private record Tokens(int[] tokens) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Tokens(int[] others) && Arrays.equals(tokens, others);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(tokens);
    }
  }

  /// Where a sequence stands in a tree: its first [#length] blocks are the cache's as well.
  public static final class Path {
    private Node end;
    private int length;

    private Path(Node root) {
      end = root;
    }

    public int length() {
      return length;
    }
  }

  /// Begins at the root of `key`.
  public Path enter(long key) {
    Node root = roots.computeIfAbsent(key, k -> new Node(k, null, new Tokens(new int[0])));
    root.users++;
    return new Path(root);
  }

  /// If the cache knows the next block of `path`, which holds these tokens, adds it to `table`, the
  /// sequence's own.
  public boolean tryFollow(Path path, int[] tokens, BlockTable table) {
    checkBlock(path, tokens, table.size() == path.length);
    Node next = path.end.children.get(new Tokens(tokens));
    if (next == null) {
      return false;
    }
    pool.share(table, next.block.block(0));
    step(path, next);
    return true;
  }

  /// Takes the next block of `path`, complete with these tokens, out of the sequence's `table`.
  /// Where the cache holds the same already, the table gets the cache's instead. Returns blocks
  /// that this frees.
  public int[] add(Path path, int[] tokens, BlockTable table) {
    checkBlock(path, tokens, table.size() > path.length);
    var key = new Tokens(tokens.clone());
    Node known = path.end.children.get(key);
    if (known != null) {
      int[] freed = pool.replace(table, path.length, known.block.block(0));
      step(path, known);
      return freed;
    }
    var added = new Node(path.end.key, path.end, key);
    pool.share(added.block, table.block(path.length));
    path.end.children.put(key, added);
    idleBlocks++;
    step(path, added);
    return new int[0];
  }

  private void checkBlock(Path path, int[] tokens, boolean tableFits) {
    if (tokens.length != blockTokens || !tableFits) {
      throw new IllegalArgumentException(
          "%d tokens are not block %d of the table".formatted(tokens.length, path.length));
    }
  }

  private void step(Path path, Node next) {
    if (next.users++ == 0) {
      idleLeaves.remove(next);
      idleBlocks--;
    }
    path.end = next;
    path.length++;
  }

  /// Ends a path. What nobody else uses stays until its blocks are needed.
  public void leave(Path path) {
    for (Node node = path.end; node != null; node = node.parent) {
      if (--node.users > 0) {
        continue;
      }
      if (node.parent == null) {
        forgetIfUnused(node);
        continue;
      }
      idleBlocks++;
      node.lastUse = ++uses;
      addIfIdleLeaf(node);
    }
  }

  private void addIfIdleLeaf(Node node) {
    if (node.parent != null && node.users == 0 && node.children.isEmpty()) {
      idleLeaves.add(node);
    }
  }

  private void forgetIfUnused(Node root) {
    if (root.users == 0 && root.children.isEmpty()) {
      roots.remove(root.key);
    }
  }

  /// Blocks that only the cache holds: all of them can be evicted.
  public int idleBlocks() {
    return idleBlocks;
  }

  /// Forgets up to `count` idle blocks, and returns them, free now.
  public int[] evict(int count) {
    int[] freed = new int[Math.min(count, idleBlocks)];
    for (int i = 0; i < freed.length; i++) {
      Node leaf = idleLeaves.pollFirst();
      if (leaf == null || leaf.parent == null) {
        throw new IllegalStateException("%d idle blocks, and none is a leaf".formatted(idleBlocks));
      }
      int[] released = pool.release(leaf.block);
      if (released.length != 1) {
        throw new IllegalStateException("an idle block is held by a sequence");
      }
      freed[i] = released[0];
      idleBlocks--;
      leaf.parent.children.remove(leaf.tokens);
      addIfIdleLeaf(leaf.parent);
      if (leaf.parent.parent == null) {
        forgetIfUnused(leaf.parent);
      }
    }
    return freed;
  }
}
