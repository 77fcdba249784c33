package dev.weft.runtime.memory;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/// The KV block indexes of one instance and how many tables hold each. The lowest free index goes
/// out first. Only the device's thread uses it; [#blockCount] may be read by any.
///
/// A block is free when no table holds it. Who writes to a block that several hold would change
/// what others read: a holder that [shares][#share] a block only reads it.
///
/// Every release is checked: blocks of a table that another pool filled would be handed out twice,
/// so it throws before it happens.
public final class BlockPool {
  private final BitSet used = new BitSet();
  private final Set<BlockTable> holders = Collections.newSetFromMap(new IdentityHashMap<>());
  private int[] references;
  private int usedCount;
  private volatile int blockCount;

  public BlockPool(int blockCount) {
    if (blockCount < 0) {
      throw new IllegalArgumentException("blockCount is negative: " + blockCount);
    }
    references = new int[blockCount];
    this.blockCount = blockCount;
  }

  /// The capacity: free blocks and those in use.
  public int blockCount() {
    return blockCount;
  }

  public int usedCount() {
    return usedCount;
  }

  public int freeCount() {
    return blockCount - usedCount;
  }

  /// Tables that hold this block.
  public int references(int block) {
    return references[block];
  }

  /// One more than the highest block in use; 0 when none is. What a cache could shrink to without
  /// moving a block.
  public int highWater() {
    return used.length();
  }

  /// Grows `table` to `size` blocks, or changes nothing and returns false when so many are not
  /// free.
  public boolean tryGrow(BlockTable table, int size) {
    checkHolder(table);
    int missing = size - table.size();
    if (missing > freeCount()) {
      return false;
    }
    int block = -1;
    for (int i = 0; i < missing; i++) {
      block = used.nextClearBit(block + 1);
      used.set(block);
      usedCount++;
      add(table, block);
    }
    return true;
  }

  /// Makes `table` hold, as its next one, a block that another table holds already.
  public void share(BlockTable table, int block) {
    checkHolder(table);
    checkUsed(block);
    add(table, block);
  }

  /// Puts another block that is in use in the place of block `index` of `table`. Returns what that
  /// frees: one block or none.
  public int[] replace(BlockTable table, int index, int block) {
    checkHolder(table);
    checkUsed(block);
    int old = table.block(index);
    references[block]++;
    table.set(index, block);
    return drop(old) ? new int[] {old} : new int[0];
  }

  private void checkUsed(int block) {
    if (block < 0 || block >= blockCount || references[block] == 0) {
      throw new IllegalStateException("block %d is not in use".formatted(block));
    }
  }

  private void checkHolder(BlockTable table) {
    // Identity, not equality: a table is its own owner.
    if (table.pool() != null && table.pool() != this) {
      throw new IllegalStateException("the blocks of %s are not held from here".formatted(table));
    }
  }

  private void add(BlockTable table, int block) {
    references[block]++;
    table.add(this, block);
    holders.add(table);
  }

  /// Lets go of the blocks of `table` beyond its first `size`. Returns those that nobody holds any
  /// more.
  public int[] shrink(BlockTable table, int size) {
    if (size < 0) {
      throw new IllegalArgumentException("size is negative: " + size);
    }
    checkHolder(table);
    int[] freed = new int[Math.max(0, table.size() - size)];
    int count = 0;
    for (int i = size; i < table.size(); i++) {
      int block = table.block(i);
      if (drop(block)) {
        freed[count++] = block;
      }
    }
    if (size < table.size()) {
      table.truncate(size);
    }
    if (table.size() == 0) {
      holders.remove(table);
    }
    return Arrays.copyOf(freed, count);
  }

  /// Lets go of all blocks of `table`. Returns those that nobody holds any more.
  public int[] release(BlockTable table) {
    return shrink(table, 0);
  }

  private boolean drop(int block) {
    if (references[block] == 0) {
      throw new IllegalStateException("block %d is not held".formatted(block));
    }
    if (--references[block] > 0) {
      return false;
    }
    used.clear(block);
    usedCount--;
    return true;
  }

  /// Changes the capacity. Throws [IllegalStateException] when a block beyond it is in use;
  /// [#shrinkTo] moves such blocks.
  public void setCapacity(int capacity) {
    if (capacity < highWater()) {
      throw new IllegalStateException(
          "block %d is in use, beyond a capacity of %d".formatted(highWater() - 1, capacity));
    }
    if (capacity > references.length) {
      references = Arrays.copyOf(references, Math.max(capacity, 2 * references.length));
    }
    blockCount = capacity;
  }

  /// Lowers the capacity, giving blocks beyond it places below it. All tables know the new places
  /// at once; the caller moves the contents before the next step. Throws [IllegalStateException]
  /// when more blocks are in use.
  public BlockMoves shrinkTo(int capacity) {
    if (usedCount > capacity) {
      throw new IllegalStateException(
          "%d blocks in use do not fit into %d".formatted(usedCount, capacity));
    }
    int count = used.get(capacity, Math.max(capacity, used.length())).cardinality();
    var moves = new BlockMoves(new int[count], new int[count]);
    int[] places = new int[Math.max(0, highWater() - capacity)];
    int to = -1;
    int from = capacity - 1;
    for (int i = 0; i < count; i++) {
      from = used.nextSetBit(from + 1);
      to = used.nextClearBit(to + 1);
      moves.from()[i] = from;
      moves.to()[i] = to;
      places[from - capacity] = to;
    }
    for (int i = 0; i < count; i++) {
      used.clear(moves.from()[i]);
      used.set(moves.to()[i]);
      references[moves.to()[i]] = references[moves.from()[i]];
      references[moves.from()[i]] = 0;
    }
    if (count > 0) {
      holders.forEach(table -> relocate(table, capacity, places));
    }
    setCapacity(capacity);
    return moves;
  }

  private static void relocate(BlockTable table, int capacity, int[] places) {
    for (int i = 0; i < table.size(); i++) {
      int block = table.block(i);
      if (block >= capacity) {
        table.set(i, places[block - capacity]);
      }
    }
  }

  /// Throws [IllegalStateException] unless counts and tables agree. For an idle pool and for tests.
  public void checkIntegrity() {
    int[] counted = new int[references.length];
    for (BlockTable table : holders) {
      for (int i = 0; i < table.size(); i++) {
        counted[table.block(i)]++;
      }
    }
    for (int block = 0; block < counted.length; block++) {
      if (counted[block] != references[block] || used.get(block) != (counted[block] > 0)) {
        throw new IllegalStateException(
            "block %d is held %d times and counted %d times"
                .formatted(block, counted[block], references[block]));
      }
    }
    if (used.cardinality() != usedCount || highWater() > blockCount) {
      throw new IllegalStateException(
          "%d blocks marked, %d counted, the highest below %d of %d"
              .formatted(used.cardinality(), usedCount, highWater(), blockCount));
    }
  }
}
