package dev.weft.runtime.gpu;

import dev.weft.runtime.tensor.DType;
import java.util.List;
import java.util.Locale;

/// Weights on the device as their file has them: `outputs` rows of `inputs` elements.
///
/// @param bias where one float32 an output lies, or 0
record GpuMatrix(long address, DType type, int outputs, int inputs, long bias) {
  long rowBytes() {
    return type.byteSize(inputs);
  }

  /// Whether rows of activations are taken in float32; else in bfloat16.
  boolean exact() {
    return type == DType.F32;
  }

  /// How kernels of this type are named.
  static String suffix(DType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  /// What one row of activations is multiplied with: matrices whose outputs lie one after the
  /// other. Neighbours of one type are one matrix.
  record Projection(List<GpuMatrix> parts) {
    Projection {
      parts = List.copyOf(parts);
    }

    int outputs() {
      return parts.stream().mapToInt(GpuMatrix::outputs).sum();
    }

    int inputs() {
      return parts.getFirst().inputs();
    }

    /// Whether any part takes float32.
    boolean exact() {
      return parts.stream().anyMatch(GpuMatrix::exact);
    }

    /// Whether any part takes bfloat16.
    boolean rounded() {
      return !parts.stream().allMatch(GpuMatrix::exact);
    }
  }
}
