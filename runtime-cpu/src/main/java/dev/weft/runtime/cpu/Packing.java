package dev.weft.runtime.cpu;

/// How a matrix is packed: the `enum weft_packing` of `weft.h`.
enum Packing {
  /// At the file's own bit width.
  FILE(0),
  /// int8 per output.
  W8A8(1);

  private final int code;

  Packing(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
