package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The files by which a runtime process and those who start it know each other; all of them are the
/// owner's alone (0600, in directories of 0700).
final class RuntimeFiles {
  private static final FileAttribute<?> OWNER_FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final FileAttribute<?> OWNER_DIRECTORY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final int SECRET_BYTES = 32;

  private RuntimeFiles() {}

  /// What the announce file says.
  ///
  /// @param startedAt of the process, in milliseconds since 1970
  record Announcement(String device, long pid, long startedAt, int port, String runtimeId) {}

  /// Why a process ended, in its own words.
  record LastWords(long pid, String reason) {}

  /// Holds a device for this process until it ends; empty when another process has it.
  static Optional<FileChannel> tryLock(RuntimeOptions options) {
    Path file =
        options.home().resolve("run").resolve("runtimes").resolve(options.device() + ".lock");
    try {
      makeParent(file);
      FileChannel channel =
          FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock = tryLock(channel);
      if (lock == null) {
        channel.close();
        return Optional.empty();
      }
      return Optional.of(channel);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot lock %s".formatted(file), e);
    }
  }

  private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      // This very process has it.
      return null;
    }
  }

  /// The secret in `file`, which is made, with a random one, when it is missing.
  static String secret(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (NoSuchFileException e) {
      return makeSecret(file);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the secret file %s".formatted(file), e);
    }
  }

  private static String makeSecret(Path file) {
    byte[] random = new byte[SECRET_BYTES];
    new SecureRandom().nextBytes(random);
    String secret = HexFormat.of().formatHex(random);
    try {
      makeParent(file);
      Files.createFile(file, OWNER_FILE);
      Files.writeString(file, secret);
      return secret;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write the secret file %s".formatted(file), e);
    }
  }

  /// Writes the announcement so that a reader sees all of it or nothing.
  static void announce(Path file, Announcement announcement) {
    writeWhole(file, announcement);
  }

  /// Writes why this process ends into `DEVICE.end.json` beside its announcement, if it has one.
  static void lastWords(RuntimeOptions options, String reason) {
    options
        .announce()
        .ifPresent(file ->
            writeWhole(
                file.resolveSibling(options.device() + ".end.json"),
                new LastWords(ProcessHandle.current().pid(), reason)));
  }

  private static void writeWhole(Path file, Record content) {
    Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
    try {
      makeParent(file);
      Files.deleteIfExists(temporary);
      Files.createFile(temporary, OWNER_FILE);
      Files.write(
          temporary,
          new ObjectMapper().writeValueAsString(content).getBytes(StandardCharsets.UTF_8));
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write %s".formatted(file), e);
    }
  }

  /// Takes this process's announcement back.
  static void withdraw(Path file, long pid) {
    try {
      Announcement there = new ObjectMapper().readValue(file.toFile(), Announcement.class);
      if (there.pid() == pid) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      // It is gone, or somebody else's by now: there is nothing to take back.
      return;
    }
  }

  private static void makeParent(Path file) throws IOException {
    Path parent = file.toAbsolutePath().getParent();
    if (parent != null && !Files.isDirectory(parent)) {
      try {
        Files.createDirectories(parent, OWNER_DIRECTORY);
      } catch (FileAlreadyExistsException e) {
        // Another process made it meanwhile; a file in its place fails the next step.
        return;
      }
    }
  }
}
