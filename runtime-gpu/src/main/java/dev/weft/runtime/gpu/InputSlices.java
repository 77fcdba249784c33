package dev.weft.runtime.gpu;

/// Into how many slices the inputs of a product are cut, each with a sum of its own: where outputs
/// are too few to keep a device busy, slices are computed side by side. It follows from the shape
/// alone, as a row's result must not depend on how many rows there are.
final class InputSlices {
  /// `SLICE_UNIT` of `products.cuh`.
  private static final int UNIT = 128;

  /// Outputs of a block.
  private static final int BLOCK_OUTPUTS = 64;

  /// From so many blocks on, they keep a device busy that has two of them on each of 132
  /// multiprocessors.
  private static final int BLOCKS = 193;

  private static final int MOST = 8;

  /// A slice is worth its sum from so many units on.
  private static final int LEAST_UNITS = 4;

  /// Up to so many rows, each slice has blocks of its own; for more, a block adds up all.
  static final int MOST_ROWS = 128;

  private InputSlices() {}

  static int of(int outputs, int inputs) {
    int units = Math.ceilDiv(inputs, UNIT);
    int slices = 1;
    while (slices < MOST
        && Math.ceilDiv(outputs, BLOCK_OUTPUTS) * slices < BLOCKS
        && units / (2 * slices) >= LEAST_UNITS) {
      slices *= 2;
    }
    return slices;
  }

  /// Sums that a step of so many rows leaves to be added.
  static int kept(int outputs, int inputs, int rows) {
    return rows <= MOST_ROWS ? of(outputs, inputs) : 1;
  }
}
