package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvFormat.Half;
import dev.weft.runtime.backend.KvFormat.Place;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.model.DecoderSpec;

/// How a model's keys and values lie in blocks, and blocks in chunks: a block holds `[layer][key,
/// value][KV head][token][element]` in float16, none straddles two chunks, and larger ones span
/// whole chunks.
///
/// Tokens a block are chosen so that little of a chunk is left over, then near 16: a small block
/// wastes less at a sequence's end, a large one means shorter block tables.
record GpuKvLayout(KvLayout layout, long layerBytes) {
  private static final int LEAST_TOKENS = 4;
  private static final int MOST_TOKENS = 64;
  private static final int PREFERRED_TOKENS = 16;

  /// What a token more or less than preferred may cost, as a share of the chunk.
  private static final double TOKEN_WORTH = 0.0005;

  /// Vectors of 16 bytes are read from where a block begins.
  private static final long ALIGNMENT = 16;

  static GpuKvLayout of(DecoderSpec spec) {
    int best = LEAST_TOKENS;
    double bestCost = Double.POSITIVE_INFINITY;
    for (int tokens = LEAST_TOKENS; tokens <= MOST_TOKENS; tokens++) {
      double cost = waste(bytes(spec, tokens)) + TOKEN_WORTH * Math.abs(tokens - PREFERRED_TOKENS);
      if (cost < bestCost) {
        best = tokens;
        bestCost = cost;
      }
    }
    return new GpuKvLayout(
        new KvLayout(best, share(bytes(spec, best))), bytes(spec, best) / spec.layerCount());
  }

  /// Where single tokens lie in a block.
  KvFormat format(DecoderSpec spec) {
    long token = (long) spec.headSize() * Short.BYTES;
    long head = token * layout.blockTokens();
    long half = head * spec.kvHeadCount();
    return new KvFormat(
        KvElement.F16,
        spec.layerCount(),
        spec.kvHeadCount(),
        spec.headSize(),
        new Half(new Place(0, layerBytes, head, token, Short.BYTES)),
        new Half(new Place(half, layerBytes, head, token, Short.BYTES)));
  }

  private static long bytes(DecoderSpec spec, int tokens) {
    return 2L * spec.layerCount() * spec.kvWidth() * tokens * Short.BYTES;
  }

  /// The share of its chunks that a block leaves unused.
  private static double waste(long bytes) {
    return 1 - (double) bytes / share(bytes);
  }

  /// A block's part of its chunks: as much as as many blocks of a chunk can have, or whole chunks.
  private static long share(long bytes) {
    long chunk = ChunkMemory.CHUNK_BYTES;
    if (bytes > chunk) {
      return Math.ceilDiv(bytes, chunk) * chunk;
    }
    return chunk / (chunk / bytes) / ALIGNMENT * ALIGNMENT;
  }

  /// Where a block begins, counted from the first one.
  long offset(int block) {
    long chunk = ChunkMemory.CHUNK_BYTES;
    if (layout.blockBytes() >= chunk) {
      return block * layout.blockBytes();
    }
    long each = chunk / layout.blockBytes();
    return block / each * chunk + block % each * layout.blockBytes();
  }
}
