package dev.weft.runtime.backend;

/// A KV block holds all layers of `blockTokens` tokens, K and V.
public record KvLayout(int blockTokens, long blockBytes) {
  public static final KvLayout NONE = new KvLayout(0, 0);

  /// Blocks that `tokens` tokens need.
  public int blocksFor(int tokens) {
    return blockTokens == 0 ? 0 : Math.ceilDiv(tokens, blockTokens);
  }

  /// Blocks that lie in so many chunks: none straddles two, and larger ones span whole chunks.
  public int blocksIn(int chunks, long chunkBytes) {
    if (blockBytes == 0) {
      return 0;
    }
    long blocks =
        blockBytes <= chunkBytes
            ? chunks * (chunkBytes / blockBytes)
            : chunks / Math.ceilDiv(blockBytes, chunkBytes);
    return Math.toIntExact(blocks);
  }

  /// Chunks that hold so many blocks.
  public int chunksFor(int blocks, long chunkBytes) {
    if (blockBytes == 0) {
      return 0;
    }
    long chunks =
        blockBytes <= chunkBytes
            ? Math.ceilDiv(blocks, chunkBytes / blockBytes)
            : blocks * Math.ceilDiv(blockBytes, chunkBytes);
    return Math.toIntExact(chunks);
  }
}
