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
  }
}
