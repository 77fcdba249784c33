package dev.weft.runtime.memory;

/// How KV blocks of one size lie in chunks: none straddles two chunks, and larger ones span whole
/// chunks.
public record BlockTiling(long blockBytes, long chunkBytes) {
  public BlockTiling {
    if (blockBytes < 1 || chunkBytes < 1) {
      throw new IllegalArgumentException(
          "blocks of %d bytes in chunks of %d".formatted(blockBytes, chunkBytes));
    }
  }

  /// Whole blocks in so many chunks.
  public int blocksIn(int chunks) {
    long blocks =
        blockBytes <= chunkBytes
            ? chunks * (chunkBytes / blockBytes)
            : chunks / Math.ceilDiv(blockBytes, chunkBytes);
    return (int) Math.min(Integer.MAX_VALUE, blocks);
  }

  /// Chunks that so many blocks take.
  public int chunksFor(int blocks) {
    long chunks =
        blockBytes <= chunkBytes
            ? Math.ceilDiv(blocks, chunkBytes / blockBytes)
            : blocks * Math.ceilDiv(blockBytes, chunkBytes);
    return Math.toIntExact(chunks);
  }
}
