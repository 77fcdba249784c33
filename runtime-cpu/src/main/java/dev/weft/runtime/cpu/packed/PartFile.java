package dev.weft.runtime.cpu.packed;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;

/// A file that is being written. It is locked for as long, so that what a killed process left
/// behind can be told from what is under way.
///
/// @param channel open until this is closed
record PartFile(Path path, FileChannel channel) implements AutoCloseable {
  private static final String SUFFIX = ".part";

  static PartFile create(Path directory) throws IOException {
    Path path = Files.createTempFile(directory, "packed", SUFFIX);
    FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
    PartFile part = new PartFile(path, channel);
    try {
      channel.lock();
      return part;
    } catch (IOException e) {
      part.close();
      throw e;
    }
  }

  /// Gives it its name, once it is on the disk.
  void name(Path target) throws IOException {
    channel.force(true);
    Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
  }

  /// Lets go of the file, which is deleted unless it has been named.
  @Override
  public void close() {
    try (channel) {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot remove " + path, e);
    }
  }

  /// Removes what processes that are gone were writing.
  static void sweep(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.filter(each -> each.toString().endsWith(SUFFIX)).toList()) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
          if (channel.tryLock() != null) {
            Files.deleteIfExists(file);
          }
        } catch (OverlappingFileLockException e) {
          // This process is writing it.
        }
      }
    }
  }
}
