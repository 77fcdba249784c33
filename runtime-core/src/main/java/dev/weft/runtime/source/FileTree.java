package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;

/// What is asked of files on disk, with failures in this package's words.
final class FileTree {
  private FileTree() {}

  /// Bytes of a file, or of all files below a directory; links count as what they point to.
  static long bytes(Path path) {
    try (Stream<Path> files = Files.walk(path)) {
      long bytes = 0;
      for (Path file : (Iterable<Path>) files::iterator) {
        if (Files.isRegularFile(file)) {
          bytes += Files.size(file);
        }
      }
      return bytes;
    } catch (UncheckedIOException e) {
      throw failure("reading the model's files", Objects.requireNonNull(e.getCause()));
    } catch (IOException e) {
      throw failure("reading the model's files", e);
    }
  }

  /// A file operation failed; a full disk is told from the rest.
  static SourceException failure(String doing, IOException e) {
    String message = String.valueOf(e.getMessage());
    boolean full =
        message.contains("No space left on device") || message.contains("Disk quota exceeded");
    return full
        ? new SourceException(
            Code.DISK_FULL, doing + ": the disk is full; what came so far is kept", e)
        : new SourceException(
            Code.UNUSABLE,
            "%s: %s %s"
                .formatted(doing, e.getClass().getSimpleName().toLowerCase(Locale.ROOT), message),
            e);
  }
}
