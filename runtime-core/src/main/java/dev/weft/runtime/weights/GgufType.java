package dev.weft.runtime.weights;

/// Types of GGUF metadata values; `gguf_type` of ggml's `gguf.h`.
enum GgufType {
  UINT8(0, 1),
  INT8(1, 1),
  UINT16(2, 2),
  INT16(3, 2),
  UINT32(4, 4),
  INT32(5, 4),
  FLOAT32(6, 4),
  BOOL(7, 1),
  /// A 64-bit length, then UTF-8.
  STRING(8, 8),
  /// An element type (32 bits), a 64-bit count, then the elements.
  ARRAY(9, 12),
  UINT64(10, 8),
  INT64(11, 8),
  FLOAT64(12, 8);

  private final int number;
  private final int minimumBytes;

  GgufType(int number, int minimumBytes) {
    this.number = number;
    this.minimumBytes = minimumBytes;
  }

  /// What stands for the type in a file.
  int number() {
    return number;
  }

  /// Bytes of a value; for strings and arrays, of an empty one.
  int minimumBytes() {
    return minimumBytes;
  }

  boolean fixedSize() {
    return this != STRING && this != ARRAY;
  }

  static GgufType read(ByteCursor cursor, String what) {
    int number = cursor.readInt("the type of " + what);
    for (GgufType type : values()) {
      if (type.number == number) {
        return type;
      }
    }
    throw cursor.failure(
        "the type of %s is %s, which is not a GGUF type"
            .formatted(what, Integer.toUnsignedString(number)));
  }
}
