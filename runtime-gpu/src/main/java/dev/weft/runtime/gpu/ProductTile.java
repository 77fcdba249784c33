package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.tensor.DType;
import java.util.Comparator;
import java.util.List;

/// What a block of a product's kernel has. Which one is used changes no result: of those for so
/// many rows it is the one whose blocks fit the device best.
///
/// @param rows of activations
/// @param depth inputs at once
/// @param stages of `depth` inputs in shared memory
/// @param beside blocks on a multiprocessor
/// @param effort that a product of many rows costs, measured, against 100 in the largest tile
record ProductTile(
    Way way, int rows, int outputs, int depth, int stages, int threads, int beside, int effort) {
  enum Way {
    /// For all devices and formats, in products.cuh.
    NARROW,
    /// Of bfloat16 on Hopper, in wide.cuh.
    WIDE,
    /// The same, a block has one tile after the other and all slices of it, and shares rows with
    /// its cluster: in streamed.cuh.
    STREAMED
  }

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
          wide(32, 2, 9),
          wide(32, 3, 7),
          wide(32, 4, 6),
          wide(64, 2, 9),
          wide(64, 3, 6),
          wide(64, 4, 5),
          wide(128, 2, 6),
          wide(128, 3, 5),
          wide(128, 4, 4),
          streamed(128, 6, 107),
          streamed(192, 5, 102),
          streamed(256, 4, 100));

  /// Blocks that share the rows of streamed tiles.
  static final int CLUSTER = 2;

  /// Of a streamed tile's shared memory, what its stages do not take.
  private static final int GATE_BYTES = 128;

  /// What a product asks for.
  ///
  /// @param apart whether each slice has blocks of its own
  record Work(int rows, int outputs, int slices, boolean apart) {}

  private static ProductTile narrow(int rows, int outputs, int depth, int stages, int threads) {
    return new ProductTile(Way.NARROW, rows, outputs, depth, stages, threads, 2, 100);
  }

  private static ProductTile wide(int rows, int warpgroups, int stages) {
    return new ProductTile(Way.WIDE, rows, warpgroups * 64, 64, stages, warpgroups * 128, 1, 100);
  }

  private static ProductTile streamed(int rows, int stages, int effort) {
    return new ProductTile(Way.STREAMED, rows, 128, 64, stages, 384, 1, effort);
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
        .filter(tile -> several ? tile.suits(work) : !tile.streamed() && tile.rows() == rows)
        .min(Comparator.comparingLong(tile -> tile.cost(work, multiprocessors)))
        .orElseThrow();
  }

  /// Whether it is for more rows than have blocks for each slice. The largest has registers for one
  /// slice only.
  private boolean suits(Work work) {
    return streamed() && (work.slices() == 1 || rows < 256);
  }

  boolean streamed() {
    return way == Way.STREAMED;
  }

  /// What the multiprocessor with most to do multiplies.
  private long cost(Work work, int multiprocessors) {
    int together = streamed() ? CLUSTER : 1;
    long tiles =
        (long) Math.ceilDiv(work.rows(), rows)
            * Math.ceilDiv(work.outputs(), outputs * together)
            * (work.apart() ? work.slices() : 1);
    long atOnce = (long) multiprocessors / together * beside;
    return Math.ceilDiv(tiles, atOnce) * beside * outputs * rows * effort;
  }

  /// The blocks of a product.
  ///
  /// @param slices that have blocks of their own
  LaunchGrid grid(int rowCount, int outputCount, int slices, int multiprocessors) {
    int rowTiles = Math.ceilDiv(rowCount, rows);
    if (!streamed()) {
      return new LaunchGrid(
          rowTiles, Math.ceilDiv(outputCount, outputs), slices, threads, sharedBytes());
    }
    int clusters =
        Math.min(
            rowTiles * Math.ceilDiv(outputCount, outputs * CLUSTER), multiprocessors / CLUSTER);
    return new LaunchGrid(clusters * CLUSTER, 1, 1, threads, sharedBytes());
  }

  int sharedBytes() {
    int tiles = stages * (rows + outputs) * depth * Short.BYTES;
    return streamed() ? tiles + GATE_BYTES : tiles;
  }

  KernelUnit unit(DType type) {
    return switch (way) {
      case NARROW -> KernelUnit.weights(type);
      case WIDE -> KernelUnit.wide(rows);
      case STREAMED -> KernelUnit.streamed(rows);
    };
  }

  String kernel(DType type) {
    return switch (way) {
      case NARROW -> "product_%s_%d_%d".formatted(GpuMatrix.suffix(type), outputs, rows);
      case WIDE -> "wide_product_%d_%d".formatted(outputs / 64, rows);
      case STREAMED -> "streamed_product_" + rows;
    };
  }
}
