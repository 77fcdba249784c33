package dev.weft.runtime.gpu.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// A matrix of 16-bit elements as the copy engine is told of it, and the tiles that it brings of it
/// to shared memory: rows of up to 128 bytes, whose chunks of 16 bytes have changed places by the
/// row's number in its eight. What is behind the matrix is zeros.
///
/// @param address of the first element, a multiple of 16
/// @param dimensions two to five, the inner one first
public record TensorMap(long address, List<Dimension> dimensions) {
  /// `sizeof(CUtensorMap)`, and what it has to lie at a multiple of.
  static final int BYTES = 128;

  static final int ALIGNMENT = 64;

  // BFLOAT16, no interleaving, chunks of 16 bytes in rows of 128, from memory 256 bytes at once,
  // and
  // zeros.
  private static final Encoding ENCODING = new Encoding(9, 0, 3, 3, 0);

  /// One dimension.
  ///
  /// @param size elements
  /// @param stride bytes from one to the next, a multiple of 16; of the inner one those of an
  ///   element
  /// @param box elements of a tile
  public record Dimension(long size, long stride, int box) {}

  /// The driver's words for how elements are read and where they are put.
  record Encoding(int dataType, int interleave, int swizzle, int promotion, int fill) {}

  public TensorMap {
    dimensions = List.copyOf(dimensions);
  }

  /// A matrix of rows one after the other.
  ///
  /// @param columns elements of a row
  /// @param tileColumns of a tile
  public static TensorMap of(long address, long rows, long columns, int tileRows, int tileColumns) {
    return new TensorMap(
        address,
        List.of(
            new Dimension(columns, Short.BYTES, tileColumns),
            new Dimension(rows, columns * Short.BYTES, tileRows)));
  }

  /// Writes it as kernels take it.
  ///
  /// @throws CudaException when no such tiles can be brought
  void encode(CudaDriver driver, MemorySegment to) {
    int rank = dimensions.size();
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment sizes = scratch.allocate(JAVA_LONG, rank);
      MemorySegment strides = scratch.allocate(JAVA_LONG, rank);
      MemorySegment box = scratch.allocate(JAVA_INT, rank);
      MemorySegment steps = scratch.allocate(JAVA_INT, rank);
      for (int i = 0; i < rank; i++) {
        Dimension dimension = dimensions.get(i);
        sizes.setAtIndex(JAVA_LONG, i, dimension.size());
        if (i > 0) {
          strides.setAtIndex(JAVA_LONG, i - 1, dimension.stride());
        }
        box.setAtIndex(JAVA_INT, i, dimension.box());
        steps.setAtIndex(JAVA_INT, i, 1);
      }
      driver.tensorMapEncodeTiled(to, ENCODING, rank, address, sizes, strides, box, steps);
    }
  }
}
