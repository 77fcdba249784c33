package dev.weft.runtime.memory;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The KV blocks of one holder, in order of its tokens: of a sequence, or of the prefix cache.
/// Filled and emptied by a [BlockPool]. Not thread-safe.
public final class BlockTable {
  private int[] blocks = {};
  private int size;
  private @Nullable BlockPool pool;

  public int size() {
    return size;
  }

  public int block(int index) {
    if (index < 0 || index >= size) {
      throw new IndexOutOfBoundsException("block %d of %d".formatted(index, size));
    }
    return blocks[index];
  }

  /// A copy, as a step batch wants it.
  public int[] toArray() {
    return Arrays.copyOf(blocks, size);
  }

  /// The pool that its blocks are from; `null` while it has none.
  @Nullable BlockPool pool() {
    return pool;
  }

  void add(BlockPool from, int block) {
    if (size == blocks.length) {
      blocks = Arrays.copyOf(blocks, size == 0 ? 1 : 2 * Math.max(4, size));
    }
    blocks[size++] = block;
    pool = from;
  }

  void set(int index, int block) {
    blocks[index] = block;
  }

  void truncate(int newSize) {
    size = newSize;
    if (size == 0) {
      pool = null;
    }
  }

  @Override
  public String toString() {
    return Arrays.toString(toArray());
  }
}
