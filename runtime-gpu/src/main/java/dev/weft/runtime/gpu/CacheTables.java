package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.LaunchParameters;

/// Where kernels find keys and values: `Cache` of `rows.cuh`.
///
/// @param positions of each row
/// @param sequences of each row
/// @param firstBlocks of each sequence the index of its first block in `blocks`
/// @param blocks addresses of blocks
/// @param layerBytes from a layer to the next in a block
/// @param tokenBytes from a token to the next of a head
/// @param scales from where a layer begins to its scales; 0 where there are none
record CacheTables(
    long positions,
    long sequences,
    long firstBlocks,
    long blocks,
    long layerBytes,
    int kvHeads,
    int headSize,
    int blockTokens,
    int tokenBytes,
    int scales) {
  /// The next of a kernel's parameters.
  LaunchParameters add(LaunchParameters parameters, int layer) {
    return parameters
        .struct()
        .addLong(positions)
        .addLong(sequences)
        .addLong(firstBlocks)
        .addLong(blocks)
        .addLong(layerBytes)
        .addInt(layer)
        .addInt(kvHeads)
        .addInt(headSize)
        .addInt(blockTokens)
        .addInt((int) Math.ceilDiv(1L << 32, (long) blockTokens))
        .addInt(tokenBytes)
        .addInt(scales);
  }
}
