package dev.weft.runtime.cpu.packed;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;

/// A packed file, mapped. Closing unmaps it.
public final class PackedFile implements AutoCloseable {
  private final Arena arena;
  private final MemorySegment bytes;
  private final MemorySegment[] matrices;

  private PackedFile(Arena arena, MemorySegment bytes, MemorySegment[] matrices) {
    this.arena = arena;
    this.bytes = bytes;
    this.matrices = matrices;
  }

  /// Maps a file that is known to hold `contents`.
  static PackedFile map(FileChannel channel, PackedContents contents) throws IOException {
    Arena arena = Arena.ofShared();
    try {
      MemorySegment bytes =
          channel.map(FileChannel.MapMode.READ_ONLY, 0, contents.fileBytes(), arena);
      MemorySegment[] matrices = new MemorySegment[contents.matrices().size()];
      long offset = contents.headerBytes();
      for (int i = 0; i < matrices.length; i++) {
        matrices[i] = bytes.asSlice(offset, contents.matrices().get(i).bytes());
        offset += matrices[i].byteSize();
      }
      return new PackedFile(arena, bytes, matrices);
    } catch (IOException | RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /// All of the file.
  public MemorySegment bytes() {
    return bytes;
  }

  /// The packed bytes of the matrix at `index` of the contents.
  public MemorySegment matrix(int index) {
    return matrices[index];
  }

  @Override
  public void close() {
    arena.close();
  }
}
