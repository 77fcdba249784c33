package dev.weft.runtime.backend;

import dev.weft.runtime.memory.BlockTiling;
import java.lang.foreign.MemorySegment;

/// A KV block holds all layers of `blockTokens` tokens, K and V.
public record KvLayout(int blockTokens, long blockBytes) {
  public static final KvLayout NONE = new KvLayout(0, 0);

  /// Blocks that `tokens` tokens need.
  public int blocksFor(int tokens) {
    return blockTokens == 0 ? 0 : Math.ceilDiv(tokens, blockTokens);
  }

  /// How its blocks lie in chunks of this size.
  public BlockTiling tiling(long chunkBytes) {
    return new BlockTiling(blockBytes, chunkBytes);
  }

  /// Throws unless a cache of `count` blocks has all of these.
  public static void requireWithin(int[] blocks, int count) {
    for (int block : blocks) {
      if (block < 0 || block >= count) {
        throw new IllegalArgumentException(
            "block %d is outside the cache of %d".formatted(block, count));
      }
    }
  }

  /// Throws unless `saved` has room for so many blocks.
  public void requireRoom(int blocks, MemorySegment saved) {
    if (saved.byteSize() < blocks * blockBytes) {
      throw new IllegalArgumentException(
          "%d bytes do not hold %d blocks of %d".formatted(saved.byteSize(), blocks, blockBytes));
    }
  }
}
