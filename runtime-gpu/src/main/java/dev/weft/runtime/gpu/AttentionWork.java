package dev.weft.runtime.gpu;

import dev.weft.runtime.model.DecoderSpec;

/// How attention is divided between blocks: which rows have a fragment to themselves, how many
/// share a tile, and when a row's units of tokens are computed side by side.
final class AttentionWork {
  /// `FRAGMENT_ROWS` of `attention.cuh`: query heads that share a KV head, of one token or several.
  private static final int FRAGMENT_ROWS = 16;

  /// `TILE_WARPS` of `attention.cuh`.
  private static final int TILE_WARPS = 4;

  /// Tokens of a sequence in one step from which on they share tiles.
  static final int LEAST_TILE_TOKENS = 16;

  /// Up to so many warps, each has keys and values of a unit at the same time; of more, one after
  /// the other, so that more warps have room.
  private static final int FEW_WARPS = 792;

  /// What units may take that are merged afterwards.
  private static final long MOST_PARTIAL_BYTES = 128L << 20;

  private AttentionWork() {}

  /// Blocks that the query heads of one KV head need.
  static int passes(DecoderSpec spec) {
    return Math.ceilDiv(spec.headCount() / spec.kvHeadCount(), FRAGMENT_ROWS);
  }

  /// Tokens of a tile.
  static int tileTokens(DecoderSpec spec) {
    return tileTokens(spec.headCount() / spec.kvHeadCount());
  }

  /// Tokens of a tile where so many query heads share a KV head.
  static int tileTokens(int heads) {
    return TILE_WARPS * FRAGMENT_ROWS / Math.min(FRAGMENT_ROWS, heads);
  }

  /// Units of so many tokens that have a warp each and are merged afterwards, rounded up a little
  /// so that a step seldom has another shape than the one before; 0 where a warp has all of a row.
  static int units(DecoderSpec spec, int singles, int longest) {
    if (singles == 0) {
      return 0;
    }
    int units = Math.ceilDiv(longest, ScratchLayout.UNIT_TOKENS);
    int step = Math.max(2, Integer.highestOneBit(units) / 8);
    int rounded = Math.ceilDiv(units, step) * step;
    return ScratchLayout.partialBytes(spec, singles, rounded) <= MOST_PARTIAL_BYTES ? rounded : 0;
  }

  /// Whether warps have keys and values of a unit at the same time.
  static boolean together(DecoderSpec spec, int singles, int units) {
    return units == 0 || (long) singles * spec.kvHeadCount() * passes(spec) * units <= FEW_WARPS;
  }

  /// Eights of query heads that a fragment of a row holds.
  static int halves(DecoderSpec spec) {
    return Math.ceilDiv(Math.min(FRAGMENT_ROWS, spec.headCount() / spec.kvHeadCount()), 8);
  }

  /// The most that units take that are merged afterwards, in a step of up to so many rows.
  static long mostPartialBytes(DecoderSpec spec, int rows, int contextLength) {
    int units = Math.ceilDiv(contextLength, ScratchLayout.UNIT_TOKENS);
    return Math.min(
        MOST_PARTIAL_BYTES, ScratchLayout.partialBytes(spec, rows, units + Math.max(2, units / 8)));
  }
}
