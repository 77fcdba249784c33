package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.LaunchParameters;

/// Structs that kernels take by value, as in `rows.cuh`.
final class KernelStructs {
  private KernelStructs() {}

  /// What a projection gave.
  ///
  /// @param stride floats from a slice to the next
  static void slices(LaunchParameters parameters, long sums, int count, long stride) {
    parameters.struct().addLong(sums).addInt(count).addLong(stride);
  }

  /// Where rows go.
  ///
  /// @param exact in float32, or 0
  /// @param rounded in bfloat16, or 0
  static void activations(LaunchParameters parameters, long exact, long rounded) {
    parameters.struct().addLong(exact).addLong(rounded);
  }
}
