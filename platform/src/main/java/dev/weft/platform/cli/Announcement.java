package dev.weft.platform.cli;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftHome;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What a process of ours wrote about itself once it listened.
///
/// @param role of a platform; `null` for a runtime
/// @param startedAt when the process started, in milliseconds since 1970
@JsonIgnoreProperties(ignoreUnknown = true)
record Announcement(long pid, long startedAt, int port, @Nullable Role role) {
  /// Start times are compared with this tolerance: the system counts them in ticks.
  private static final Duration START_TIME_TOLERANCE = Duration.ofSeconds(1);

  /// The platform process of a home, if it is alive.
  static Optional<Announcement> platform(WeftHome home) {
    return read(home.platformFile()).filter(Announcement::alive);
  }

  static Optional<Announcement> read(Path file) {
    return WeftHome.read(file).map(text -> parse(file, text));
  }

  private static Announcement parse(Path file, String text) {
    try {
      return ApiClient.JSON.readValue(text, Announcement.class);
    } catch (IOException e) {
      throw new CliException(
          file + " is damaged: " + e.getMessage(), "Remove the file and run the command again.");
    }
  }

  /// True while that very process runs; a recycled process id has another start time.
  boolean alive() {
    return ProcessHandle.of(pid)
        .filter(ProcessHandle::isAlive)
        .flatMap(process -> process.info().startInstant())
        .filter(
            start -> Math.abs(start.toEpochMilli() - startedAt) <= START_TIME_TOLERANCE.toMillis())
        .isPresent();
  }

  String url() {
    return "http://127.0.0.1:" + port;
  }
}
