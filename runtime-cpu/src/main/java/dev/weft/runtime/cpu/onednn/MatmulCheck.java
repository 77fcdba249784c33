package dev.weft.runtime.cpu.onednn;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Compares a primitive with plain arithmetic, on a sample of its outputs. oneDNN is known to pick
/// wrong kernels for some types and layouts.
final class MatmulCheck {
  private static final int SAMPLED_OUTPUTS = 5;
  private static final double BF16_TOLERANCE = 1e-5;

  private MatmulCheck() {}

  /// Whether a bucket computes what it should, with these weights.
  ///
  /// @param rowMajor the weights, `[outputs][inputs]`
  /// @param packed the memory object of the same weights
  static boolean passes(
      MatmulPlan plan,
      int rows,
      MatmulPlan.Bucket bucket,
      MemorySegment rowMajor,
      MemorySegment packed) {
    int stride = plan.sourceStride();
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment source = scratch.allocate((long) rows * stride * plan.type().bytes(), 64);
      MemorySegment destination =
          scratch.allocate((long) rows * plan.outputs() * Integer.BYTES, 64);
      for (long i = 0; i < (long) rows * stride; i++) {
        set(plan.type(), source, i, (int) ((i * 37 + i / stride * 11) % 255 - 127));
      }
      plan.run(bucket, source, packed, destination);
      for (int row = 0; row < rows; row++) {
        for (int i = 0; i < SAMPLED_OUTPUTS; i++) {
          int output = (int) ((long) i * (plan.outputs() - 1) / (SAMPLED_OUTPUTS - 1));
          if (!right(plan, source, row, rowMajor, output, destination)) {
            return false;
          }
        }
      }
      return true;
    }
  }

  private static boolean right(
      MatmulPlan plan,
      MemorySegment source,
      int row,
      MemorySegment weights,
      int output,
      MemorySegment destination) {
    double sum = 0;
    double magnitude = 0;
    for (int k = 0; k < plan.inputs(); k++) {
      double product =
          get(plan.type(), source, (long) row * plan.sourceStride() + k)
              * get(plan.type(), weights, (long) output * plan.inputs() + k);
      sum += product;
      magnitude += Math.abs(product);
    }
    long at = (long) row * plan.outputs() + output;
    return switch (plan.type()) {
      case INT8 -> destination.getAtIndex(JAVA_INT, at) == sum;
      case BF16 ->
          Math.abs(destination.getAtIndex(JAVA_FLOAT, at) - sum) <= magnitude * BF16_TOLERANCE;
    };
  }

  private static double get(WeightType type, MemorySegment values, long index) {
    return switch (type) {
      case INT8 -> values.get(JAVA_BYTE, index);
      case BF16 ->
          Float.intBitsToFloat(values.get(JAVA_SHORT.withByteAlignment(1), 2 * index) << 16);
    };
  }

  private static void set(WeightType type, MemorySegment values, long index, int value) {
    switch (type) {
      case INT8 -> values.set(JAVA_BYTE, index, (byte) value);
      // Whole numbers up to 127 are exact in bfloat16.
      case BF16 ->
          values.setAtIndex(JAVA_SHORT, index, (short) (Float.floatToIntBits(value) >>> 16));
    }
  }
}
