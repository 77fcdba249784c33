package dev.weft.platform.config;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The directory tree of one installation, `$WEFT_HOME`. Everything below it is readable by its
/// owner alone, because it holds secrets and state.
///
/// ```
/// run/platform.json          the running platform: pid, start time, port, version
/// run/platform.lock          held while a platform runs
/// run/runtimes/<device>.*    the runtime of a device: announcement, launch record, secret, last words
/// db/                        functions, keys, invocations
/// run/controller.json        what a gateway learned last from its controller
/// spool/                     a gateway's invocations that its controller has not got yet
/// keys/default               the API key made at the first start
/// logs/                      platform.jsonl, platform.log, runtime-<device>.log
/// ```
public record WeftHome(Path root) {
  private static final FileAttribute<Set<PosixFilePermission>> OWNER_DIRECTORY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final FileAttribute<Set<PosixFilePermission>> OWNER_FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  public WeftHome {
    root = root.toAbsolutePath().normalize();
  }

  /// The home that a process uses: `configured`, else `$WEFT_HOME`, else `~/.weft`.
  public static WeftHome locate(@Nullable String configured) {
    String environment = System.getenv("WEFT_HOME");
    if (configured != null && !configured.isBlank()) {
      return new WeftHome(Path.of(configured));
    }
    if (environment != null && !environment.isBlank()) {
      return new WeftHome(Path.of(environment));
    }
    return new WeftHome(Path.of(System.getProperty("user.home"), ".weft"));
  }

  /// Creates the directories, before anybody else creates them with wider permissions.
  public void prepare() {
    directory(root);
    directory(root.resolve("db"));
    run();
    runtimes();
    logs();
    keys();
  }

  public Path run() {
    return directory(root.resolve("run"));
  }

  public Path runtimes() {
    return directory(run().resolve("runtimes"));
  }

  public Path logs() {
    return directory(root.resolve("logs"));
  }

  public Path keys() {
    return directory(root.resolve("keys"));
  }

  public Path platformFile() {
    return run().resolve("platform.json");
  }

  /// What a gateway learned last from its controller.
  public Path controllerFile() {
    return run().resolve("controller.json");
  }

  /// Where a gateway keeps what its controller has not got yet.
  public Path spool() {
    return directory(root.resolve("spool"));
  }

  public Path lockFile() {
    return run().resolve("platform.lock");
  }

  /// Where the API key made at the first start is kept.
  public Path defaultKeyFile() {
    return keys().resolve("default");
  }

  /// Replaces `file` by `content` in one step, readable by the owner alone. A reader sees the old
  /// content or the new, never a part.
  public static void writePrivately(Path file, String content) {
    Path parent = file.toAbsolutePath().getParent();
    try {
      Path fresh = Files.createTempFile(parent, file.getFileName().toString(), ".new", OWNER_FILE);
      try {
        Files.writeString(fresh, content);
        Files.move(
            fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(fresh);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + file, e);
    }
  }

  /// The content of `file`, or nothing when there is no such file.
  public static Optional<String> read(Path file) {
    try {
      return Optional.of(Files.readString(file));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + file, e);
    }
  }

  private static Path directory(Path path) {
    try {
      if (!Files.isDirectory(path)) {
        Files.createDirectories(path, OWNER_DIRECTORY);
      }
      return path;
    } catch (FileAlreadyExistsException e) {
      throw new UncheckedIOException(path + " is not a directory", e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot create " + path, e);
    }
  }
}
