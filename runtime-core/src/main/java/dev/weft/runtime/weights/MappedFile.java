package dev.weft.runtime.weights;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/// A file mapped read-only as a whole, with the size that it had when it was opened.
///
/// The mapping stays valid when the file is renamed, replaced or deleted: it holds on to the file
/// itself. It does not survive the file being cut short in place: reading what is gone is an
/// [InternalError] in Java and ends the process in native code. So model files are replaced, never
/// rewritten; Weft's own cache does that.
///
/// Closing unmaps. It is expensive (all threads are synchronised) and happens once a loaded model.
final class MappedFile implements AutoCloseable {
  private final String name;
  private final Arena arena;
  private final MemorySegment bytes;
  private final Optional<SourceFile> source;

  private MappedFile(String name, Arena arena, MemorySegment bytes, Optional<SourceFile> source) {
    this.name = name;
    this.arena = arena;
    this.bytes = bytes;
    this.source = source;
  }

  static MappedFile open(Path path) {
    String name = String.valueOf(path.getFileName());
    Arena arena = Arena.ofShared();
    Optional<SourceFile> source = SourceFile.of(path);
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      // A file that was replaced meanwhile is not known: which of the two is mapped?
      return new MappedFile(name, arena, bytes, source.filter(SourceFile::unchanged));
    } catch (IOException | RuntimeException e) {
      arena.close();
      throw new ModelFormatException("%s: %s".formatted(name, reason(e)), e);
    }
  }

  /// Maps `path` and hands it to `parser`, whose result owns the mapping; when it fails, the file
  /// is closed again.
  static <T> T parse(Path path, Function<MappedFile, T> parser) {
    MappedFile file = open(path);
    try {
      return parser.apply(file);
    } catch (InternalError e) {
      file.close();
      throw file.failure("the file was cut short while it was read", e);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  ModelFormatException failure(String reason) {
    return new ModelFormatException("%s: %s".formatted(name, reason));
  }

  ModelFormatException failure(String reason, Throwable cause) {
    return new ModelFormatException("%s: %s".formatted(name, reason), cause);
  }

  /// The file's name without its directory, for messages.
  String name() {
    return name;
  }

  /// The file that is mapped; a list of none when it cannot be told from others.
  List<SourceFile> source() {
    return source.stream().toList();
  }

  MemorySegment bytes() {
    return bytes;
  }

  long byteSize() {
    return bytes.byteSize();
  }

  /// Unmaps; a second call does nothing.
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  /// Why a file could not be read, without the path that the system's own message holds.
  private static String reason(Exception e) {
    return e instanceof NoSuchFileException
        ? "the file does not exist"
        : "the file cannot be read (%s)".formatted(e.getClass().getSimpleName());
  }
}
