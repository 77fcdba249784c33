package dev.weft.bench.engine;

import dev.weft.bench.Subprocess;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Objects;

/// How fast this machine reads memory: every thread adds up an array of its own, in the way that is
/// fastest here (`src/main/native/read-bandwidth.c`).
public final class ReadBandwidth {
  /// Less than this is read from caches rather than from memory.
  private static final long LEAST_BYTES = 256L << 20;

  private static final String PROGRAM = "read-bandwidth";

  private ReadBandwidth() {}

  /// Gigabytes (10^9) a second.
  ///
  /// @param bytes that are gone through again and again, 256 MiB at least: as many as a model's
  ///   weights, so that a large cache helps this reader as much as it helps a decode step
  public static double measure(int threads, long bytes) throws IOException, InterruptedException {
    return run(threads, Math.max(LEAST_BYTES, bytes)) / 1e9;
  }

  /// Bytes a second.
  static double run(int threads, long bytes) throws IOException, InterruptedException {
    Path directory = Files.createTempDirectory("weft-bench");
    Path program = directory.resolve(PROGRAM);
    String resource = "/META-INF/native/linux-x86_64/" + PROGRAM;
    try (InputStream compiled =
        Objects.requireNonNull(ReadBandwidth.class.getResourceAsStream(resource), resource)) {
      Files.copy(compiled, program, StandardCopyOption.REPLACE_EXISTING);
      if (!program.toFile().setExecutable(true)) {
        throw new IOException("cannot be made executable: " + program);
      }
      String output =
          Subprocess.output(
              List.of(program.toString(), String.valueOf(threads), String.valueOf(bytes)));
      return Double.parseDouble(output.strip());
    } finally {
      Files.deleteIfExists(program);
      Files.delete(directory);
    }
  }
}
