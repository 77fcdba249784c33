package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvFormat.Half;
import dev.weft.runtime.backend.KvFormat.Place;
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
    return of(spec, type, best);
  }

  /// With so many tokens a block.
  static KvLayout of(DecoderSpec spec, KvType type, int blockTokens) {
    return new KvLayout(blockTokens, blockBytes(blockTokens * tokenBytes(spec, type)));
  }

  /// A block holds `[layer][KV head][scales of K, of V][K: element, token][V: token, element]`, as
  /// `kv_write` has it.
  static KvFormat format(DecoderSpec spec, KvType type, int blockTokens) {
    KvElement element =
        switch (type) {
          case F16 -> KvElement.F16;
          case INT8 -> KvElement.INT8;
        };
    long each = element.bytes();
    long padded = padded(spec) * each;
    long scaleBytes = (long) element.scaleBytes() * blockTokens;
    long keyBytes = each * spec.headSize() * blockTokens;
    long head = 2 * scaleBytes + keyBytes + padded * blockTokens;
    long layer = head * spec.kvHeadCount();
    long keys = 2 * scaleBytes;
    return new KvFormat(
        element,
        spec.layerCount(),
        spec.kvHeadCount(),
        spec.headSize(),
        new Half(
            new Place(keys, layer, head, each, each * blockTokens),
            new Place(0, layer, head, element.scaleBytes(), 0)),
        new Half(
            new Place(keys + keyBytes, layer, head, padded, each),
            new Place(scaleBytes, layer, head, element.scaleBytes(), 0)));
  }

  private static long padded(DecoderSpec spec) {
    return Math.ceilDiv(spec.headSize(), VECTOR_KEYS) * (long) VECTOR_KEYS;
  }

  /// K and V of all layers; heads are padded to whole vectors where V lies.
  static long tokenBytes(DecoderSpec spec, KvType type) {
    long elements = spec.headSize() + padded(spec);
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
