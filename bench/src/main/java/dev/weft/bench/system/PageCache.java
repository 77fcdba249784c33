package dev.weft.bench.system;

import dev.weft.bench.Subprocess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// Drops files from the page cache.
public final class PageCache {
  private static final Path DROP = Path.of("/proc/sys/vm/drop_caches");

  private PageCache() {}

  /// How [#drop] does it here, for the report.
  public static String method() {
    return Files.isWritable(DROP)
        ? "all of the page cache (`/proc/sys/vm/drop_caches`), programs included"
        : "the model's and the runtime's files (`posix_fadvise`), not the programs'";
  }

  /// Drops everything where that is allowed, else what lies under the paths.
  public static void drop(List<Path> paths) throws IOException, InterruptedException {
    Subprocess.output(List.of("sync"));
    if (Files.isWritable(DROP)) {
      Files.writeString(DROP, "1");
      return;
    }
    for (Path path : paths) {
      try (Stream<Path> files = Files.walk(path)) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          // No block is copied: the flag alone advises the system.
          Subprocess.output(
              List.of("dd", "if=" + file, "of=/dev/null", "iflag=nocache", "count=0"));
        }
      }
    }
  }
}
