package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvFormat.Half;
import dev.weft.runtime.backend.KvFormat.Place;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.model.DecoderSpec;

/// How a model's keys and values lie in blocks, and blocks in chunks: a block holds `[layer][key,
/// value][KV head][token][element]`, none straddles two chunks, and larger ones span whole chunks.
/// Behind a layer's int8 are their float16 scales, `[key, value][KV head][token]`.
///
/// Tokens a block are chosen so that little of a chunk is left over, then near 16: a small block
/// wastes less at a sequence's end, a large one means shorter block tables. With scales they are an
/// even number, as kernels read the scales of two tokens at once.
///
/// @param tokenBytes from a token to the next of a head
/// @param layerBytes from a layer to the next
record GpuKvLayout(KvType type, KvLayout layout, int tokenBytes, long layerBytes) {
  private static final int LEAST_TOKENS = 4;
  private static final int MOST_TOKENS = 64;
  private static final int PREFERRED_TOKENS = 16;

  /// What a token more or less than preferred may cost, as a share of the chunk.
  private static final double TOKEN_WORTH = 0.0005;

  /// Vectors of 16 bytes are read from where a block begins.
  private static final long ALIGNMENT = 16;

  static GpuKvLayout of(DecoderSpec spec, KvType type) {
    int step = element(type).scaleBytes() > 0 ? 2 : 1;
    int best = LEAST_TOKENS;
    double bestCost = Double.POSITIVE_INFINITY;
    for (int tokens = LEAST_TOKENS; tokens <= MOST_TOKENS; tokens += step) {
      double cost =
          waste(bytes(spec, type, tokens)) + TOKEN_WORTH * Math.abs(tokens - PREFERRED_TOKENS);
      if (cost < bestCost) {
        best = tokens;
        bestCost = cost;
      }
    }
    return new GpuKvLayout(
        type,
        new KvLayout(best, share(bytes(spec, type, best))),
        tokenBytes(spec, type),
        layerBytes(spec, type, best));
  }

  /// What keys and values of a type are held as.
  static KvElement element(KvType type) {
    return switch (type) {
      case F16 -> KvElement.F16;
      case INT8 -> KvElement.INT8;
    };
  }

  /// From where a layer begins to its scales; 0 where there are none.
  int scales(DecoderSpec spec) {
    return element(type).scaleBytes() > 0
        ? 2 * spec.kvHeadCount() * layout.blockTokens() * tokenBytes
        : 0;
  }

  /// Where single tokens lie in a block.
  KvFormat format(DecoderSpec spec) {
    KvElement element = element(type);
    return new KvFormat(
        element,
        spec.layerCount(),
        spec.kvHeadCount(),
        spec.headSize(),
        half(spec, element, 0),
        half(spec, element, 1));
  }

  private Half half(DecoderSpec spec, KvElement element, int index) {
    long head = (long) tokenBytes * layout.blockTokens();
    long scale = element.scaleBytes();
    long headScales = scale * layout.blockTokens();
    int heads = index * spec.kvHeadCount();
    return new Half(
        new Place(heads * head, layerBytes, head, tokenBytes, element.bytes()),
        new Place(scales(spec) + heads * headScales, layerBytes, headScales, scale, 0));
  }

  private static long bytes(DecoderSpec spec, KvType type, int tokens) {
    return spec.layerCount() * layerBytes(spec, type, tokens);
  }

  private static long layerBytes(DecoderSpec spec, KvType type, int tokens) {
    long each = (long) tokenBytes(spec, type) + element(type).scaleBytes();
    return aligned(2L * spec.kvHeadCount() * tokens * each);
  }

  private static int tokenBytes(DecoderSpec spec, KvType type) {
    return (int) aligned((long) spec.headSize() * element(type).bytes());
  }

  private static long aligned(long bytes) {
    return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
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
