package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.model.DecoderSpec;

/// Chooses how many tokens a KV block holds, so that blocks tile chunks of 2 MiB with little waste
/// and the attention kernel's vectors of 16 keys are well filled.
final class KvLayouts {
  static final long CHUNK_BYTES = 2L << 20;

  private static final int VECTOR_KEYS = 16;
  private static final int MIN_TOKENS = 4;
  private static final int MAX_TOKENS = 64;
  private static final double MAX_WASTE = 0.02;

  private KvLayouts() {}

  static KvLayout of(DecoderSpec spec, KvType type) {
    long tokenBytes = tokenBytes(spec, type);
    int best = MIN_TOKENS;
    double bestScore = Double.NEGATIVE_INFINITY;
    for (int tokens = MIN_TOKENS; tokens <= MAX_TOKENS; tokens++) {
      double score = score(tokens, tokenBytes);
      if (score > bestScore) {
        best = tokens;
        bestScore = score;
      }
    }
    return new KvLayout(best, blockBytes(best * tokenBytes));
  }

  /// K and V of all layers; heads are padded to whole vectors where V lies.
  static long tokenBytes(DecoderSpec spec, KvType type) {
    long padded = Math.ceilDiv(spec.headSize(), VECTOR_KEYS) * (long) VECTOR_KEYS;
    long elements = spec.headSize() + padded;
    long headBytes =
        switch (type) {
          case F16 -> Short.BYTES * elements;
          case INT8 -> elements + 2 * Short.BYTES;
        };
    return headBytes * spec.kvHeadCount() * spec.layerCount();
  }

  /// Waste past the bound counts most, then unfilled vectors; among equals, near 16 tokens.
  private static double score(int tokens, long tokenBytes) {
    double waste = waste(tokens * tokenBytes);
    double filled = (double) tokens / (Math.ceilDiv(tokens, VECTOR_KEYS) * VECTOR_KEYS);
    double distance = Math.abs(tokens - VECTOR_KEYS) / (double) MAX_TOKENS;
    return filled - 10 * Math.max(0, waste - MAX_WASTE) - waste - 0.1 * distance;
  }

  /// The share of its chunks that a block leaves unused.
  static double waste(long bytes) {
    return 1 - (double) bytes / blockBytes(bytes);
  }

  /// A block's share of its chunks: what the ledger counts for it.
  private static long blockBytes(long bytes) {
    return bytes <= CHUNK_BYTES
        ? Math.ceilDiv(CHUNK_BYTES, CHUNK_BYTES / bytes)
        : Math.ceilDiv(bytes, CHUNK_BYTES) * CHUNK_BYTES;
  }
}
