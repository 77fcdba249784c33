package dev.weft.platform.cli;

import dev.weft.platform.config.WeftHome;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Runtimes whose platform was killed: a new `up` adopts them, `down` ends them.
final class Orphans {
  private Orphans() {}

  /// Asks each to end (a runtime drains on SIGTERM), waits, and returns how many there were.
  static int end(WeftHome home) {
    List<ProcessHandle> processes = new ArrayList<>();
    if (Files.isDirectory(home.runtimes())) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(home.runtimes(), "*.json")) {
        for (Path file : files) {
          Announcement.read(file)
              .filter(Announcement::alive)
              .flatMap(runtime -> ProcessHandle.of(runtime.pid()))
              .ifPresent(processes::add);
        }
      } catch (IOException e) {
        throw new CliException(
            "cannot read " + home.runtimes() + ": " + e.getMessage(), "Check its permissions.");
      }
    }
    processes.forEach(ProcessHandle::destroy);
    processes.forEach(process -> process.onExit().join());
    return processes.size();
  }
}
