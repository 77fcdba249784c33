package dev.weft.runtime.instance;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.runtime.engine.StepProfile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Keeps how long steps take, a small file for each model, way of holding it and device, so that a
/// restart need not measure again. Thread-safe, and safe between processes: a file is there whole
/// or not at all. What cannot be read or written is measured again.
public final class ProfileStore {
  /// Keeps nothing, and has nobody measure.
  public static final ProfileStore NONE = new ProfileStore(null);

  private static final Logger log = LoggerFactory.getLogger(ProfileStore.class);
  private static final ObjectMapper JSON = Json.mapper();

  private final @Nullable Path directory;

  private ProfileStore(@Nullable Path directory) {
    this.directory = directory;
  }

  /// Files in a directory, which is made when the first is written.
  public static ProfileStore in(Path directory) {
    return new ProfileStore(directory);
  }

  /// What is known of the model at `path`, run as `circumstances` say.
  ///
  /// @param measured told once it has been measured; on a thread of its own
  StepProfile open(Path path, List<String> circumstances, Runnable measured) {
    if (directory == null) {
      return StepProfile.none();
    }
    try {
      Path file = directory.resolve(key(path, circumstances) + ".json");
      return StepProfile.of(
          read(file),
          table -> {
            write(file, table);
            measured.run();
          });
    } catch (IOException e) {
      warn(e, path);
      return StepProfile.of(Optional.empty(), _ -> measured.run());
    }
  }

  private static Optional<PerformanceTable> read(Path file) {
    try {
      return Optional.of(JSON.readValue(Files.readAllBytes(file), PerformanceTable.class));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      warn(e, file);
      return Optional.empty();
    }
  }

  private static void write(Path file, PerformanceTable table) {
    try {
      Path directory = Files.createDirectories(file.toAbsolutePath().getParent());
      Path part = Files.createTempFile(directory, "profile", ".part");
      try {
        Files.write(part, JSON.writeValueAsBytes(table));
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(part);
      }
    } catch (IOException e) {
      warn(e, file);
    }
  }

  private static void warn(IOException failure, Path file) {
    log.atWarn()
        .setCause(failure)
        .addKeyValue("file", file)
        .log("how long steps take is not kept, and will be measured again");
  }

  /// A digest of the files' names, sizes and times, and of the circumstances.
  private static String key(Path path, List<String> circumstances) throws IOException {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Path file : files(path)) {
        BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
        update(
            digest,
            "%s %d %d"
                .formatted(
                    file.toRealPath(),
                    attributes.size(),
                    attributes.lastModifiedTime().toMillis()));
      }
      circumstances.forEach(each -> update(digest, each));
      return HexFormat.of().formatHex(digest.digest(), 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  private static void update(MessageDigest digest, String text) {
    digest.update((text + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private static List<Path> files(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      return List.of(path);
    }
    try (Stream<Path> files = Files.list(path)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    }
  }
}
