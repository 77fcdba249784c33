package dev.weft.runtime.backend;

import java.util.Optional;
import java.util.stream.Stream;

/// What keys and values are held as, whatever was asked for.
public enum KvElement {
  F32(0, Float.BYTES, 0),
  F16(1, Short.BYTES, 0),

  /// With a float16 scale for each token and head.
  INT8(2, Byte.BYTES, Short.BYTES);

  private final int code;
  private final int bytes;
  private final int scaleBytes;

  KvElement(int code, int bytes, int scaleBytes) {
    this.code = code;
    this.bytes = bytes;
    this.scaleBytes = scaleBytes;
  }

  /// The element that has this code.
  public static Optional<KvElement> ofCode(int code) {
    return Stream.of(values()).filter(element -> element.code == code).findFirst();
  }

  /// What stands for it where keys and values move between runtimes.
  public int code() {
    return code;
  }

  public int bytes() {
    return bytes;
  }

  /// Bytes of the scale of a token and head.
  public int scaleBytes() {
    return scaleBytes;
  }
}
