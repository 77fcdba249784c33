package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Fills a C struct whose fields all take eight bytes, in their order.
final class StructWriter {
  private final MemorySegment struct;
  private long offset;

  StructWriter(Arena arena, int fields) {
    struct = arena.allocate(JAVA_LONG, fields);
  }

  StructWriter integers(long... values) {
    for (long value : values) {
      struct.set(JAVA_LONG, advance(), value);
    }
    return this;
  }

  StructWriter real(double value) {
    struct.set(JAVA_DOUBLE, advance(), value);
    return this;
  }

  StructWriter address(MemorySegment address) {
    struct.set(ADDRESS, advance(), address);
    return this;
  }

  private long advance() {
    long at = offset;
    offset += Long.BYTES;
    return at;
  }

  /// The struct, when every field has been set.
  MemorySegment done() {
    if (offset != struct.byteSize()) {
      throw new IllegalStateException(
          "%d of %d bytes of the struct are set".formatted(offset, struct.byteSize()));
    }
    return struct;
  }
}
