package dev.weft.runtime.cpu.onednn;

/// What oneDNN multiplies for this runtime.
public enum WeightType {
  /// int8 by int8 to int32: exact.
  INT8(OneDnn.S8, OneDnn.S8, OneDnn.S32, Byte.BYTES),
  /// bfloat16 by bfloat16 to float32.
  BF16(OneDnn.BF16, OneDnn.BF16, OneDnn.F32, Short.BYTES);

  private final int source;
  private final int weights;
  private final int destination;
  private final int bytes;

  WeightType(int source, int weights, int destination, int bytes) {
    this.source = source;
    this.weights = weights;
    this.destination = destination;
    this.bytes = bytes;
  }

  int source() {
    return source;
  }

  int weights() {
    return weights;
  }

  int destination() {
    return destination;
  }

  /// Bytes of a weight, and of an activation.
  int bytes() {
    return bytes;
  }
}
