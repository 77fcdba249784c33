package dev.weft.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/// The machine that is measured.
public final class Machine {
  private Machine() {}

  /// Such as `Intel(R) Xeon(R) Processor, 2 processors`.
  public static String description() {
    return "%s, %d processors".formatted(processor(), Runtime.getRuntime().availableProcessors());
  }

  /// For the name of a directory.
  public static String label() {
    return "%s-%dc"
        .formatted(processor(), Runtime.getRuntime().availableProcessors())
        .toLowerCase(Locale.ROOT)
        .replaceAll("[^a-z0-9]+", "-");
  }

  private static String processor() {
    try {
      List<String> lines = Files.readAllLines(Path.of("/proc/cpuinfo"));
      return lines.stream()
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse("unknown processor");
    } catch (IOException e) {
      return "unknown processor";
    }
  }
}
