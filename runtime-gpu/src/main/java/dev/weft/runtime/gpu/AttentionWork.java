package dev.weft.runtime.gpu;

import dev.weft.runtime.model.DecoderSpec;

/// How attention is divided between blocks: which rows share a tile, and which have warps of their
/// own, how many side by side.
///
/// @param mostPartialBytes what units may take that are merged afterwards; those of one row may
///   always be
record AttentionWork(DecoderSpec spec, long mostPartialBytes) {
  /// `FRAGMENT_ROWS` of `attention.cuh`: query heads that share a KV head, of one token or several.
  private static final int FRAGMENT_ROWS = 16;

  /// `TILE_WARPS` of `attention.cuh`.
  private static final int TILE_WARPS = 4;

  /// Tokens of a sequence in one step from which on they share tiles.
  static final int LEAST_TILE_TOKENS = 16;

  /// Up to so many warps, each has keys and values of a unit at the same time; of more, one after
  /// the other, so that more warps have room.
  private static final int FEW_WARPS = 792;

  /// What units may take that are merged afterwards, unless a test says otherwise.
  static final long MOST_PARTIAL_BYTES = 128L << 20;

  /// Rows that are attended to one by one.
  ///
  /// @param rows of a step
  /// @param atOnce rows whose units are computed before they are merged
  /// @param units for how many units of a row there is room; each has a warp
  /// @param together whether warps have keys and values of a unit at the same time
  record Singles(int rows, int atOnce, int units, boolean together) {
    static final Singles NONE = new Singles(0, 0, 0, false);
  }

  /// Blocks that the query heads of one KV head need.
  int passes() {
    return Math.ceilDiv(group(), FRAGMENT_ROWS);
  }

  /// Blocks that all query heads of a row need.
  int blocks() {
    return spec.kvHeadCount() * passes();
  }

  /// Eights of query heads that a fragment of a row holds.
  int halves() {
    return Math.ceilDiv(Math.min(FRAGMENT_ROWS, group()), 8);
  }

  /// Query heads that share a KV head.
  private int group() {
    return spec.headCount() / spec.kvHeadCount();
  }

  /// Tokens of a tile.
  int tileTokens() {
    return tileTokens(group());
  }

  /// Tokens of a tile where so many query heads share a KV head.
  static int tileTokens(int heads) {
    return TILE_WARPS * FRAGMENT_ROWS / Math.min(FRAGMENT_ROWS, heads);
  }

  /// How so many rows are attended to, of sequences of up to so many tokens. Units are rounded up a
  /// little, so that a step seldom has another shape than the one before.
  Singles singles(int rows, int longest) {
    if (rows == 0) {
      return Singles.NONE;
    }
    int needed = Math.ceilDiv(longest, ScratchLayout.UNIT_TOKENS);
    int step = Math.max(2, Integer.highestOneBit(needed) / 8);
    int units = Math.ceilDiv(needed, step) * step;
    int atOnce = Math.clamp(mostPartialBytes / ScratchLayout.partialBytes(spec, 1, units), 1, rows);
    long warps = (long) atOnce * blocks() * units;
    return new Singles(rows, atOnce, units, warps <= FEW_WARPS);
  }

  /// The most that units take that are merged afterwards, in a step of up to so many rows.
  long mostPartialBytes(int rows, int contextLength) {
    int units = Math.ceilDiv(contextLength, ScratchLayout.UNIT_TOKENS);
    int rounded = units + Math.max(2, units / 8);
    return Math.max(
        ScratchLayout.partialBytes(spec, 1, rounded),
        Math.min(mostPartialBytes, ScratchLayout.partialBytes(spec, rows, rounded)));
  }
}
