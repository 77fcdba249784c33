package dev.weft.runtime.backend;

import java.util.Arrays;

/// Keys and values in float32, by blocks that are allocated when first written. Block layout:
/// `[layer][key, value][token][kvWidth]`.
final class ReferenceKvCache {
  private static final float[] UNWRITTEN = {};

  private final float[][] blocks;
  private final int layerCount;
  private final int blockTokens;
  private final int kvWidth;

  ReferenceKvCache(int blockCount, int layerCount, int blockTokens, int kvWidth) {
    blocks = new float[blockCount][];
    Arrays.fill(blocks, UNWRITTEN);
    this.layerCount = layerCount;
    this.blockTokens = blockTokens;
    this.kvWidth = kvWidth;
  }

  int blockCount() {
    return blocks.length;
  }

  void write(int layer, int[] table, int token, float[] key, float[] value) {
    int index = table[token / blockTokens];
    float[] block = blocks[index];
    if (block.length == 0) {
      block = new float[layerCount * 2 * blockTokens * kvWidth];
      blocks[index] = block;
    }
    System.arraycopy(key, 0, block, offset(layer, 0, token), kvWidth);
    System.arraycopy(value, 0, block, offset(layer, 1, token), kvWidth);
  }

  void release(int[] released) {
    for (int block : released) {
      blocks[block] = UNWRITTEN;
    }
  }

  /// One sequence's keys and values in one layer.
  Attention.Memory view(int layer, int[] table) {
    return new Attention.Memory() {
      @Override
      public float[] keys(int token) {
        float[] block = blocks[table[token / blockTokens]];
        if (block.length == 0) {
          throw new IllegalStateException(
              "KV block %d was never written".formatted(table[token / blockTokens]));
        }
        return block;
      }

      @Override
      public int keyOffset(int token) {
        return offset(layer, 0, token);
      }

      @Override
      public float[] values(int token) {
        return keys(token);
      }

      @Override
      public int valueOffset(int token) {
        return offset(layer, 1, token);
      }
    };
  }

  private int offset(int layer, int half, int token) {
    return ((layer * 2 + half) * blockTokens + token % blockTokens) * kvWidth;
  }
}
