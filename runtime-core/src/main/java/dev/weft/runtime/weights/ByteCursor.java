package dev.weft.runtime.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Reads a file's bytes in order, little-endian, and refuses to read past the end. Not thread-safe.
final class ByteCursor {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final String file;
  private final MemorySegment bytes;
  private long position;

  ByteCursor(String file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  long position() {
    return position;
  }

  long remaining() {
    return bytes.byteSize() - position;
  }

  /// The exception to throw for something wrong at the current position.
  ModelFormatException failure(String reason) {
    return new ModelFormatException("%s: at byte %d: %s".formatted(file, position, reason));
  }

  int readByte(String what) {
    return bytes.get(ValueLayout.JAVA_BYTE, advance(1, what));
  }

  int readShort(String what) {
    return bytes.get(SHORT, advance(2, what));
  }

  int readInt(String what) {
    return bytes.get(INT, advance(4, what));
  }

  long readLong(String what) {
    return bytes.get(LONG, advance(8, what));
  }

  /// The next `byteSize` bytes as a view; nothing is copied.
  MemorySegment readBytes(long byteSize, String what) {
    return bytes.asSlice(advance(byteSize, what), byteSize);
  }

  /// What has been read from `start` on, as a view.
  MemorySegment since(long start) {
    return bytes.asSlice(start, position - start);
  }

  /// A 64-bit count that may be at most `limit`, of things that take at least `bytesEach` bytes of
  /// what is left of the file. So a few bytes cannot claim work or memory beyond the file's size.
  long readCount(long limit, int bytesEach, String what) {
    long count = readLong(what);
    if (count < 0 || count > limit) {
      throw failure(
          "%s is %s; the limit is %d".formatted(what, Long.toUnsignedString(count), limit));
    }
    if (count > remaining() / bytesEach) {
      throw failure(
          "%s is %d, which the remaining %d bytes cannot hold".formatted(what, count, remaining()));
    }
    return count;
  }

  private long advance(long byteSize, String what) {
    if (byteSize > remaining()) {
      throw failure(
          "the file ends in %s (%d bytes are needed and %d are left)"
              .formatted(what, byteSize, remaining()));
    }
    long start = position;
    position += byteSize;
    return start;
  }
}
