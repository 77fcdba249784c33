package dev.weft.runtime.tensor;

import java.lang.foreign.MemorySegment;

/// A read-only view of a tensor in a mapped file.
///
/// @param name its canonical name (see [dev.weft.runtime.model.TensorNames])
/// @param data exactly `dtype.byteSize(shape.elementCount())` bytes, owned by the
///   [dev.weft.runtime.weights.Weights]
public record Tensor(String name, DType dtype, Shape shape, MemorySegment data) {
  public Tensor {
    long expected = dtype.byteSize(shape.elementCount());
    if (data.byteSize() != expected) {
      throw new IllegalArgumentException(
          "%s %s %s needs %d bytes and has %d"
              .formatted(name, dtype, shape, expected, data.byteSize()));
    }
  }
}
