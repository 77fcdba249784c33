package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.tensor.DType;
import java.util.Comparator;
import java.util.List;

/// What a block of a product's kernel has, as in products.cuh and wide.cuh. Which one is used
/// changes no result: of those for so many rows it is the one whose blocks fit the device best.
///
/// @param wide of bfloat16 on Hopper, in wide.cuh
/// @param rows of activations
/// @param depth inputs at once
/// @param stages of `depth` inputs in shared memory
/// @param beside blocks on a multiprocessor
/// @param sums whether sums of all slices stay in registers, where a block has several
record ProductTile(
    boolean wide,
    int rows,
    int outputs,
    int depth,
    int stages,
    int threads,
    int beside,
    boolean sums) {
  private static final List<ProductTile> DECODED =
      List.of(narrow(8, 64, 128, 2, 128), narrow(32, 64, 128, 2, 128), narrow(64, 64, 128, 2, 128));

  private static final List<ProductTile> BFLOATS =
      List.of(
          narrow(8, 64, 128, 5, 128),
          narrow(8, 96, 128, 4, 192),
          narrow(32, 64, 128, 4, 128),
          narrow(64, 64, 128, 3, 128),
          narrow(128, 128, 64, 3, 256));

  private static final List<ProductTile> WIDE =
      List.of(
          narrow(8, 64, 128, 5, 128),
          narrow(8, 96, 128, 4, 192),
          wide(32, 2, 9, false),
          wide(32, 3, 7, false),
          wide(32, 4, 6, false),
          wide(64, 2, 9, false),
          wide(64, 3, 6, false),
          wide(64, 4, 5, false),
          wide(128, 2, 6, false),
          wide(128, 3, 5, false),
          wide(128, 4, 4, false),
          wide(192, 2, 5, true),
          wide(256, 2, 4, false));

  /// What a product asks for.
  ///
  /// @param apart whether each slice has blocks of its own
  record Work(int rows, int outputs, int slices, boolean apart) {}

  private static ProductTile narrow(int rows, int outputs, int depth, int stages, int threads) {
    return new ProductTile(false, rows, outputs, depth, stages, threads, 2, false);
  }

  private static ProductTile wide(int rows, int warpgroups, int stages, boolean sums) {
    return new ProductTile(true, rows, warpgroups * 64, 64, stages, warpgroups * 128, 1, sums);
  }

  static ProductTile choose(DType type, boolean wide, Work work, int multiprocessors) {
    List<ProductTile> tiles = type == DType.BF16 ? (wide ? WIDE : BFLOATS) : DECODED;
    int most = tiles.stream().mapToInt(ProductTile::rows).max().orElseThrow();
    int rows =
        tiles.stream()
            .mapToInt(ProductTile::rows)
            .filter(count -> count >= Math.min(work.rows(), most))
            .min()
            .orElseThrow();
    boolean several = wide && type == DType.BF16 && !work.apart();
    return tiles.stream()
        .filter(tile -> several ? tile.suits(work) : tile.rows() == rows)
        .min(Comparator.comparingLong(tile -> tile.cost(work, multiprocessors)))
        .orElseThrow();
  }

  /// Whether it is for more rows than have blocks for each slice.
  private boolean suits(Work work) {
    return work.slices() > 1 ? sums : rows == 256 || (rows == 128 && outputs == 192);
  }

  /// What the multiprocessor with most to do multiplies.
  private long cost(Work work, int multiprocessors) {
    long blocks =
        (long) Math.ceilDiv(work.rows(), rows)
            * Math.ceilDiv(work.outputs(), outputs)
            * (work.apart() ? work.slices() : 1);
    return Math.ceilDiv(blocks, (long) multiprocessors * beside) * beside * outputs * rows;
  }

  int sharedBytes() {
    return stages * (rows + outputs) * depth * Short.BYTES;
  }

  KernelUnit unit(DType type) {
    return wide ? KernelUnit.wide(rows) : KernelUnit.weights(type);
  }

  String kernel(DType type) {
    return wide
        ? "wide_product_%d_%d".formatted(outputs / 64, rows)
        : "product_%s_%d_%d".formatted(GpuMatrix.suffix(type), outputs, rows);
  }
}
