package dev.weft.runtime.cpu;

/// How a matrix is packed: the `enum weft_packing` of `weft.h`.
enum Packing {
  /// At the file's own bit width.
  FILE(0),
  /// int8 per output.
  W8A8(1),
  /// LiquidQuant: int8 per output, then 4 bits in groups of 64 inputs.
  W4A8(2);

  private final int code;

  Packing(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
