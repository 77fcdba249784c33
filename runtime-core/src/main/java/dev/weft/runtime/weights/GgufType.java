package dev.weft.runtime.weights;

/// Types of GGUF metadata values; the ordinal is the number in the file (`gguf_type` of ggml's
/// `gguf.h`).
enum GgufType {
  UINT8(1),
  INT8(1),
  UINT16(2),
  INT16(2),
  UINT32(4),
  INT32(4),
  FLOAT32(4),
  BOOL(1),
  /// A 64-bit length, then UTF-8.
  STRING(8),
  /// An element type (32 bits), a 64-bit count, then the elements.
  ARRAY(12),
  UINT64(8),
  INT64(8),
  FLOAT64(8);

  private final int minimumBytes;

  GgufType(int minimumBytes) {
    this.minimumBytes = minimumBytes;
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
    if (number < 0 || number >= values().length) {
      throw cursor.failure(
          "the type of %s is %s, which is not a GGUF type"
              .formatted(what, Integer.toUnsignedString(number)));
    }
    return values()[number];
  }
}
