package dev.weft.runtime.memory;

import java.util.Arrays;

/// The KV blocks of one sequence, in order of its tokens. Filled and emptied by a [BlockPool]. Not
/// thread-safe.
public final class BlockTable {
  private int[] blocks = new int[8];
  private int size;

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

  void add(int block) {
    if (size == blocks.length) {
      blocks = Arrays.copyOf(blocks, 2 * size);
    }
    blocks[size++] = block;
  }

  void truncate(int newSize) {
    size = newSize;
  }

  @Override
  public String toString() {
    return Arrays.toString(toArray());
  }
}
