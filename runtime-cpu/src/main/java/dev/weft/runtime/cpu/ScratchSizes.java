package dev.weft.runtime.cpu;

import java.util.function.IntToLongFunction;

/// Bytes of scratch by rows, rounded up to a power of two of rows, so that a step of a row more
/// seldom needs more of it.
final class ScratchSizes {
  private final long[] bytes;
  private final int maxRows;

  /// @param bytesOf what so many rows take
  ScratchSizes(int maxRows, IntToLongFunction bytesOf) {
    this.maxRows = maxRows;
    bytes = new long[step(maxRows) + 1];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = bytesOf.applyAsLong((int) Math.min(maxRows, 1L << i));
    }
  }

  private static int step(int rows) {
    return Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(rows, 1) - 1);
  }

  /// What up to `rows` rows take.
  long of(int rows) {
    return bytes[step(Math.min(rows, maxRows))];
  }
}
