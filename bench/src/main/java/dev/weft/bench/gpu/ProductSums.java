package dev.weft.bench.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.weft.runtime.gpu.cuda.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Sums of a product on the device.
///
/// @param slices that are to be added, in their order
/// @param count of sums
record ProductSums(long address, int slices, long count) {
  private static final long PIECE = 4L << 20;

  /// Of the largest, how much two sums may differ that were added up in another order. Something
  /// else that was multiplied differs by about all of it.
  private static final double TOLERANCE = 1e-3;

  /// Whether all have the same bits as those of another product.
  ///
  /// @throws IllegalStateException when they differ by more than orders of sums do
  boolean sameBits(ProductSums other, CudaDriver driver) {
    boolean same = true;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment own = arena.allocate(JAVA_FLOAT, PIECE);
      MemorySegment others = arena.allocate(JAVA_FLOAT, PIECE);
      MemorySegment slice = arena.allocate(JAVA_FLOAT, PIECE);
      for (long first = 0; first < count; first += PIECE) {
        long length = Math.min(PIECE, count - first);
        read(driver, first, length, own, slice);
        other.read(driver, first, length, others, slice);
        long bytes = length * Float.BYTES;
        if (own.asSlice(0, bytes).mismatch(others.asSlice(0, bytes)) >= 0) {
          same = false;
          check(own, others, length);
        }
      }
    }
    return same;
  }

  private void read(
      CudaDriver driver, long first, long length, MemorySegment to, MemorySegment slice) {
    long bytes = length * Float.BYTES;
    driver.memcpyDtoH(to.asSlice(0, bytes), address + first * Float.BYTES);
    for (int i = 1; i < slices; i++) {
      driver.memcpyDtoH(slice.asSlice(0, bytes), address + (i * count + first) * Float.BYTES);
      for (long at = 0; at < length; at++) {
        float sum = to.getAtIndex(JAVA_FLOAT, at) + slice.getAtIndex(JAVA_FLOAT, at);
        to.setAtIndex(JAVA_FLOAT, at, sum);
      }
    }
  }

  private static void check(MemorySegment own, MemorySegment others, long length) {
    float largest = 0;
    float difference = 0;
    for (long at = 0; at < length; at++) {
      float sum = own.getAtIndex(JAVA_FLOAT, at);
      // The larger of anything and what is no number is no number.
      largest = Math.max(largest, Math.abs(sum));
      difference = Math.max(difference, Math.abs(sum - others.getAtIndex(JAVA_FLOAT, at)));
    }
    if (!(difference <= TOLERANCE * largest)) {
      throw new IllegalStateException(
          "two products differ by %s; the largest sum is %s".formatted(difference, largest));
    }
  }
}
