package dev.weft.runtime.cpu.packed;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/// Writes a packed file, one matrix after the other. The file has no name that anybody looks for
/// until [PackedCache] gives it one; closed before that, it is gone.
public final class PackedWriter implements AutoCloseable {
  /// Written at once, at multiples of itself: what the system keeps together in memory it can map
  /// together.
  private static final int BUFFER_BYTES = 8 << 20;

  private final PackedCache cache;
  private final PartFile part;
  private final PackedContents contents;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment buffer = arena.allocate(BUFFER_BYTES, PackedContents.ALIGNMENT);
  private int buffered;
  private long written;
  private int matrices;
  private boolean finished;

  PackedWriter(PackedCache cache, PartFile part, PackedContents contents) {
    this.cache = cache;
    this.part = part;
    this.contents = contents;
    // The header comes last, when the hashes are known.
    buffered = contents.headerBytes() % BUFFER_BYTES;
    written = (long) contents.headerBytes() - buffered;
    buffer.asSlice(0, buffered).fill((byte) 0);
  }

  /// Writes the next matrix of the contents.
  public void append(MemorySegment packed) throws IOException {
    if (packed.byteSize() != contents.matrices().get(matrices).bytes()) {
      throw new IllegalArgumentException(
          "%s has %d bytes".formatted(contents.matrices().get(matrices), packed.byteSize()));
    }
    matrices++;
    long from = 0;
    while (from < packed.byteSize()) {
      int count = (int) Math.min(BUFFER_BYTES - buffered, packed.byteSize() - from);
      MemorySegment.copy(packed, from, buffer, buffered, count);
      buffered += count;
      from += count;
      if (buffered == BUFFER_BYTES) {
        flush();
      }
    }
  }

  private void flush() throws IOException {
    ByteBuffer bytes = buffer.asSlice(0, buffered).asByteBuffer();
    while (bytes.hasRemaining()) {
      written += part.channel().write(bytes, written);
    }
    buffered = 0;
  }

  /// Maps what was written, all of the contents, and has it kept: that takes its time, and is not
  /// waited for.
  public PackedFile finish() throws IOException {
    if (matrices != contents.matrices().size()) {
      throw new IllegalStateException("%d matrices are missing".formatted(matrices));
    }
    flush();
    PackedFile file = PackedFile.map(part.channel(), contents);
    finished = true;
    cache.keepLater(part, contents);
    return file;
  }

  @Override
  public void close() {
    arena.close();
    if (!finished) {
      part.close();
    }
  }
}
