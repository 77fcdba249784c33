package dev.weft.runtime.cpu.packed;

import dev.weft.runtime.weights.SourceFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/// Remembers the SHA-256 of model files, so that a file is read for it once and not at every start.
/// A record counts for exactly the file that it was made of: path, size, time of change and inode.
final class ContentHashes {
  static final int BYTES = 32;
  private static final int BUFFER_BYTES = 1 << 20;

  private final Path directory;

  ContentHashes(Path directory) {
    this.directory = directory;
  }

  /// The hashes of all files; empty unless all are known.
  Optional<List<byte[]>> find(List<SourceFile> files) throws IOException {
    List<byte[]> hashes = new ArrayList<>();
    for (SourceFile file : files) {
      Optional<byte[]> hash = find(file);
      if (hash.isEmpty()) {
        return Optional.empty();
      }
      hashes.add(hash.get());
    }
    return Optional.of(hashes);
  }

  /// The hashes of all files, read where they are not known.
  ///
  /// @throws IOException also when a file is not the one that was meant
  List<byte[]> get(List<SourceFile> files) throws IOException {
    List<byte[]> hashes = new ArrayList<>();
    for (SourceFile file : files) {
      Optional<byte[]> known = find(file);
      hashes.add(known.isPresent() ? known.get() : make(file));
    }
    return hashes;
  }

  private Optional<byte[]> find(SourceFile file) throws IOException {
    try {
      String[] lines = Files.readString(record(file)).split("\n", -1);
      return lines.length == 3 && lines[0].equals(identity(file)) && lines[1].length() == 2 * BYTES
          ? Optional.of(HexFormat.of().parseHex(lines[1]))
          : Optional.empty();
    } catch (NoSuchFileException | IllegalArgumentException e) {
      // Never seen, or a damaged record, which is as good as none.
      return Optional.empty();
    }
  }

  private byte[] make(SourceFile file) throws IOException {
    MessageDigest digest = sha256();
    try (FileChannel channel = FileChannel.open(file.path(), StandardOpenOption.READ)) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
      while (channel.read(buffer.clear()) >= 0) {
        digest.update(buffer.flip());
      }
    }
    if (!file.unchanged()) {
      throw new IOException(file.path().getFileName() + " was changed while it was in use");
    }
    byte[] hash = digest.digest();
    Files.createDirectories(directory);
    Path fresh = Files.createTempFile(directory, ".new", null);
    try {
      Files.writeString(fresh, identity(file) + "\n" + HexFormat.of().formatHex(hash) + "\n");
      Files.move(fresh, record(file), StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(fresh);
    }
    return hash;
  }

  private static String identity(SourceFile file) {
    return "%s %d %d %s"
        .formatted(
            file.path().toString().replace('\n', ' '),
            file.bytes(),
            file.modifiedMicros(),
            file.key());
  }

  private Path record(SourceFile file) {
    return directory.resolve(
        name(file.path().toString().getBytes(StandardCharsets.UTF_8)) + ".sha256");
  }

  /// A file name for contents.
  static String name(byte[] contents) {
    return HexFormat.of().formatHex(sha256().digest(contents), 0, BYTES / 2);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
