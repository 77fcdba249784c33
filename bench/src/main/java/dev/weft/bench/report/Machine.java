package dev.weft.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;

/// The machine that is measured.
///
/// @param used processors that the run may use
/// @param processors that there are
public record Machine(String processor, int used, int processors) {
  /// What this process may use now.
  ///
  /// @param processors that it might use before it was restricted
  public static Machine detect(int processors) {
    return new Machine(name(), Runtime.getRuntime().availableProcessors(), processors);
  }

  /// Such as `Intel(R) Xeon(R) Processor, 2 of 16 processors`.
  public String description() {
    return "%s, %s processors".formatted(processor, count(" of "));
  }

  /// For the name of a directory.
  public String label() {
    return "%s-%sc"
        .formatted(processor, count("-of-"))
        .toLowerCase(Locale.ROOT)
        .replaceAll("[^a-z0-9]+", "-");
  }

  private String count(String of) {
    return used == processors ? String.valueOf(used) : used + of + processors;
  }

  private static String name() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse("unknown processor");
    } catch (IOException e) {
      return "unknown processor";
    }
  }
}
