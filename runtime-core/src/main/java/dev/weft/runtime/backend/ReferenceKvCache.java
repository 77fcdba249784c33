package dev.weft.runtime.backend;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import java.lang.foreign.MemorySegment;
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

  KvFormat format(int kvHeads, int headSize) {
    long token = (long) kvWidth * Float.BYTES;
    long half = blockTokens * token;
    long head = (long) headSize * Float.BYTES;
    return new KvFormat(
        KvElement.F32,
        layerCount,
        kvHeads,
        headSize,
        new KvFormat.Half(new KvFormat.Place(0, 2 * half, head, token, Float.BYTES)),
        new KvFormat.Half(new KvFormat.Place(half, 2 * half, head, token, Float.BYTES)));
  }

  int blockCount() {
    return blocks.length;
  }

  void write(int layer, int[] table, int token, float[] key, float[] value) {
    int index = table[token / blockTokens];
    float[] block = blocks[index];
    if (block.length == 0) {
      block = new float[blockFloats()];
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

  void move(int[] from, int[] to) {
    for (int i = 0; i < from.length; i++) {
      blocks[to[i]] = blocks[from[i]];
      blocks[from[i]] = UNWRITTEN;
    }
  }

  /// A block that was never written is saved as zeros.
  void save(int[] saved, MemorySegment target) {
    for (int i = 0; i < saved.length; i++) {
      float[] block = blocks[saved[i]];
      float[] contents = block.length == 0 ? new float[blockFloats()] : block;
      MemorySegment.copy(
          contents, 0, target, JAVA_FLOAT_UNALIGNED, i * blockBytes(), contents.length);
    }
  }

  void load(int[] loaded, MemorySegment source) {
    for (int i = 0; i < loaded.length; i++) {
      float[] contents = new float[blockFloats()];
      MemorySegment.copy(
          source, JAVA_FLOAT_UNALIGNED, i * blockBytes(), contents, 0, contents.length);
      blocks[loaded[i]] = contents;
    }
  }

  private int blockFloats() {
    return layerCount * 2 * blockTokens * kvWidth;
  }

  private long blockBytes() {
    return (long) blockFloats() * Float.BYTES;
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
