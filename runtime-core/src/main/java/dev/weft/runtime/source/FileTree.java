package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// What is asked of files on disk, with failures in this package's words.
final class FileTree {
  private static final int MAX_DEPTH = 32;

  private FileTree() {}

  /// Bytes of a file, or of all files below a directory; links count as what they point to. Files
  /// that vanish meanwhile count nothing.
  static long bytes(Path path) {
    AtomicLong bytes = new AtomicLong();
    try {
      Files.walkFileTree(
          path,
          Set.of(FileVisitOption.FOLLOW_LINKS),
          MAX_DEPTH,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
              bytes.addAndGet(attributes.isRegularFile() ? attributes.size() : 0);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException failed)
                throws IOException {
              if (failed instanceof NoSuchFileException) {
                return FileVisitResult.CONTINUE;
              }
              throw failed;
            }
          });
    } catch (IOException e) {
      throw failure("reading the model's files", e);
    }
    return bytes.get();
  }

  static Path createDirectories(Path directory) {
    try {
      return Files.createDirectories(directory);
    } catch (IOException e) {
      throw failure("making " + directory.getFileName(), e);
    }
  }

  /// Removes a directory with all that is in it, without following links; what is not there is
  /// fine.
  static void delete(Path directory) {
    try {
      Files.walkFileTree(
          directory,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              Files.deleteIfExists(file);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failed)
                throws IOException {
              Files.deleteIfExists(visited);
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (NoSuchFileException e) {
      return;
    } catch (IOException e) {
      throw failure("removing " + directory.getFileName(), e);
    }
  }

  /// Writes a small file such that readers see the old one or the new one, never a part.
  static void writeAtomically(Path file, byte[] bytes) throws IOException {
    Files.createDirectories(Objects.requireNonNull(file.getParent()));
    Path temporary = Files.createTempFile(file.getParent(), ".new", null);
    try {
      Files.write(temporary, bytes);
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  static void rename(Path from, Path to) {
    try {
      Files.createDirectories(Objects.requireNonNull(to.getParent()));
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw failure("naming " + to.getFileName(), e);
    }
  }

  /// A file operation failed; a full disk is told from the rest.
  static SourceException failure(String doing, IOException e) {
    String message = String.valueOf(e.getMessage());
    return isDiskFull(message)
        ? new SourceException(
            Code.DISK_FULL, doing + ": the disk is full; free some space and try again", e)
        : new SourceException(
            Code.UNUSABLE,
            "%s: %s (%s)"
                .formatted(doing, message, e.getClass().getSimpleName().toLowerCase(Locale.ROOT)),
            e);
  }

  static boolean isDiskFull(String message) {
    return message.contains("No space left on device") || message.contains("quota exceeded");
  }
}
