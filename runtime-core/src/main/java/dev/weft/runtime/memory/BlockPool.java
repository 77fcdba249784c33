package dev.weft.runtime.memory;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/// The KV block indexes of one instance and which sequence's table holds each. The lowest free
/// index goes out first. Only the device's thread uses it.
///
/// Every release is checked against the owner: a block freed twice, or by a table that does not
/// hold it, would let two sequences write over each other, so it throws before it happens.
public final class BlockPool {
  private final @Nullable BlockTable[] owners;
  private final BitSet used;
  private int usedCount;

  public BlockPool(int blockCount) {
    if (blockCount < 0) {
      throw new IllegalArgumentException("blockCount is negative: " + blockCount);
    }
    owners = new @Nullable BlockTable[blockCount];
    used = new BitSet(blockCount);
  }

  public int blockCount() {
    return owners.length;
  }

  public int usedCount() {
    return usedCount;
  }

  public int freeCount() {
    return owners.length - usedCount;
  }

  /// One more than the highest block in use; 0 when none is. What a cache could shrink to without
  /// moving a block.
  public int highWater() {
    return used.length();
  }

  /// Grows `table` to `size` blocks, or changes nothing and returns false when so many are not
  /// free.
  public boolean tryGrow(BlockTable table, int size) {
    int missing = size - table.size();
    if (missing > freeCount()) {
      return false;
    }
    int block = -1;
    for (int i = 0; i < missing; i++) {
      block = used.nextClearBit(block + 1);
      used.set(block);
      owners[block] = table;
      table.add(block);
      usedCount++;
    }
    return true;
  }

  /// Takes back the blocks of `table` beyond its first `size`, and returns them.
  public int[] shrink(BlockTable table, int size) {
    if (size < 0) {
      throw new IllegalArgumentException("size is negative: " + size);
    }
    int count = Math.max(0, table.size() - size);
    var released = new int[count];
    for (int i = 0; i < count; i++) {
      int block = table.block(size + i);
      // Identity, not equality: a table is its own owner.
      if (block >= owners.length || owners[block] != table) {
        throw new IllegalStateException("block %d is not held by %s".formatted(block, table));
      }
      released[i] = block;
    }
    for (int block : released) {
      owners[block] = null;
      used.clear(block);
    }
    usedCount -= count;
    if (count > 0) {
      table.truncate(size);
    }
    return released;
  }

  /// Takes back all blocks of `table`, and returns them.
  public int[] release(BlockTable table) {
    return shrink(table, 0);
  }

  /// Throws [IllegalStateException] unless counts and owners agree. For an idle pool and for tests.
  public void checkIntegrity() {
    int owned = 0;
    for (int block = 0; block < owners.length; block++) {
      boolean held = owners[block] != null;
      if (held != used.get(block)) {
        throw new IllegalStateException(
            "block %d is marked and owned differently".formatted(block));
      }
      owned += held ? 1 : 0;
    }
    if (owned != usedCount || used.cardinality() != usedCount) {
      throw new IllegalStateException("%d blocks owned, %d counted".formatted(owned, usedCount));
    }
  }
}
