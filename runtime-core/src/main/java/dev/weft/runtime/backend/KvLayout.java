package dev.weft.runtime.backend;

import dev.weft.runtime.memory.BlockTiling;

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
}
