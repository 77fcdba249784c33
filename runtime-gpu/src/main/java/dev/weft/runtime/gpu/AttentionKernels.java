package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.kernels.KernelUnit;

/// The attention for heads of a size, and keys and values of a type: its kernels' names and grids.
///
/// @param headSize that they compute with; smaller heads are filled up
/// @param wide whether tiles are multiplied with Hopper's own instructions
record AttentionKernels(int headSize, KvType type, boolean wide) {
  // As in device.cuh and attention.cuh.
  private static final int WARP = 32;
  private static final int UNIT_PADDING = 16;
  private static final int TILE_THREADS = 128;
  private static final int MERGE_THREADS = 64;

  static final String MERGE = "merge_units";

  /// @param runsWide whether the device has these instructions
  static AttentionKernels of(int headSize, KvType type, boolean runsWide) {
    int padded = KernelUnit.paddedHeadSize(headSize);
    return new AttentionKernels(
        padded, type, runsWide && KernelUnit.hasWideAttention(padded, type));
  }

  KernelUnit unit() {
    return KernelUnit.attention(headSize, type);
  }

  /// What compiles the kernel for tiles.
  KernelUnit tileUnit() {
    return wide ? KernelUnit.wideAttention(headSize) : unit();
  }

  /// For rows of a sequence that make a tile.
  String tile() {
    return wide ? "attend_wide_tile_" + headSize : "attend_tile_" + suffix();
  }

  /// For rows alone, in a warp for each of their units.
  ///
  /// @param halves eights of query heads that a fragment holds
  String units(int halves) {
    return "attend_units_%d_%s".formatted(halves, suffix());
  }

  private String suffix() {
    return KernelUnit.attentionSuffix(headSize, type);
  }

  /// Of tiles of rows: keys and values of two units are in shared memory.
  LaunchGrid tileGrid(int tiles, int heads) {
    return new LaunchGrid(tiles, heads, 1, TILE_THREADS, 4 * unitBytes(wide ? 0 : UNIT_PADDING));
  }

  /// Of so many rows alone.
  LaunchGrid unitsGrid(int heads, int rows, AttentionWork.Singles singles) {
    int sharedBytes = (singles.together() ? 2 : 1) * unitBytes(UNIT_PADDING);
    return new LaunchGrid(heads, singles.units(), rows, WARP, sharedBytes);
  }

  /// For the units of so many rows.
  LaunchGrid mergeGrid(int rows, int heads) {
    return new LaunchGrid(rows, heads, Math.ceilDiv(headSize, MERGE_THREADS), MERGE_THREADS, 0);
  }

  /// Keys or values of a unit in shared memory: a row a token, and their scales.
  private int unitBytes(int padding) {
    KvElement element = GpuKvLayout.element(type);
    int token = headSize * element.bytes() + padding + element.scaleBytes();
    return ScratchLayout.UNIT_TOKENS * token;
  }
}
