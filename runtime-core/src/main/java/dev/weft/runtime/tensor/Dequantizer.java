package dev.weft.runtime.tensor;

import java.lang.foreign.MemorySegment;

/// Reads tensors as float32, exactly as the format defines (bit for bit what ggml computes).
/// Stateless; any thread.
public final class Dequantizer {
  private Dequantizer() {}

  /// Row `row` of the tensor into the start of `out`, which holds at least a row.
  public static void row(Tensor tensor, long row, float[] out) {
    rows(tensor, row, 1, out, 0);
  }

  /// `rowCount` rows from `firstRow`, one after the other, into `out` from `outOffset`.
  public static void rows(Tensor tensor, long firstRow, int rowCount, float[] out, int outOffset) {
    long rowLength = tensor.shape().rowLength();
    if (firstRow < 0 || rowCount < 0 || firstRow > tensor.shape().rowCount() - rowCount) {
      throw new IndexOutOfBoundsException(
          "rows %d to %d of %s %s"
              .formatted(firstRow, firstRow + rowCount, tensor.name(), tensor.shape()));
    }
    DType type = tensor.dtype();
    long offset = firstRow * type.byteSize(rowLength);
    decode(type, tensor.data(), offset, Math.toIntExact(rowCount * rowLength), out, outOffset);
  }

  /// The whole tensor, row-major; for tensors of less than 2^31 elements.
  public static float[] all(Tensor tensor) {
    int elements = Math.toIntExact(tensor.shape().elementCount());
    float[] out = new float[elements];
    decode(tensor.dtype(), tensor.data(), 0, elements, out, 0);
    return out;
  }

  /// `elements` elements (whole blocks) that start at byte `offset` of `data`, into `out` from
  /// `outOffset`.
  public static void decode(
      DType type, MemorySegment data, long offset, int elements, float[] out, int outOffset) {
    if (elements % type.blockElements() != 0) {
      throw new IllegalArgumentException(
          "%d elements do not fill %s blocks".formatted(elements, type));
    }
    BlockDecoder.of(type).decode(data, offset, elements / type.blockElements(), out, outOffset);
  }
}
