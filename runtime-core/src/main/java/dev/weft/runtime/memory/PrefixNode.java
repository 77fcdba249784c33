package dev.weft.runtime.memory;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One block of a [PrefixCache]'s trees, or a root.
final class PrefixNode {
  final long key;
  final @Nullable PrefixNode parent;
  final Tokens tokens;
  final int index;

  /// One block, or none when the node is saved or dropped; a root has none. An idle one with a slot
  /// as well is copied.
  final BlockTable block = new BlockTable();

  final Map<Tokens, PrefixNode> children = new HashMap<>(2);
  int childrenWithBlocks;
  int users;
  int claims;
  boolean shared;
  long lastUse;
  int slot = BlockStore.NOT_SAVED;

  PrefixNode(long key, @Nullable PrefixNode parent, Tokens tokens) {
    this.key = key;
    this.parent = parent;
    this.tokens = tokens;
    index = parent == null ? -1 : parent.index + 1;
  }

  boolean saved() {
    return slot != BlockStore.NOT_SAVED && block.size() == 0;
  }

  boolean copied() {
    return slot != BlockStore.NOT_SAVED && block.size() > 0;
  }

  boolean isRoot() {
    return parent == null;
  }

  @SuppressWarnings("ArrayRecordComponent")
  record Tokens(int[] tokens) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Tokens(int[] others) && Arrays.equals(tokens, others);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(tokens);
    }
  }
}
