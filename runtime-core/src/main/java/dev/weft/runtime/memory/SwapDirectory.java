package dev.weft.runtime.memory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.UUID;

/// Swap files in a directory. They have no name as soon as they are open: whatever way the process
/// ends, nothing is left but, at worst, the name of an empty file, which the next process
/// [removes][#removeStale].
///
/// @param path made when it is first needed
public record SwapDirectory(Path path) implements SwapDisk {
  private static final String PREFIX = "kv-";
  private static final String SUFFIX = ".swap";

  @Override
  public Contents create() throws IOException {
    Files.createDirectories(path);
    Path file = path.resolve(PREFIX + UUID.randomUUID() + SUFFIX);
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(
                StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    // Another process that starts just now may have taken the name away already.
    Files.deleteIfExists(file);
    return new NamelessFile(channel);
  }

  /// Removes the names that killed processes left. What others have open stays theirs.
  public void removeStale() throws IOException {
    if (!Files.isDirectory(path)) {
      return;
    }
    try (DirectoryStream<Path> left = Files.newDirectoryStream(path, PREFIX + "*" + SUFFIX)) {
      for (Path file : left) {
        Files.deleteIfExists(file);
      }
    }
  }

  private record NamelessFile(FileChannel channel) implements Contents {
    @Override
    public int write(ByteBuffer from, long position) throws IOException {
      return channel.write(from, position);
    }

    @Override
    public int read(ByteBuffer to, long position) throws IOException {
      return channel.read(to, position);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
