package dev.weft.platform.images;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/// Runs a program of the build machine.
final class Tool {
  private Tool() {}

  /// How it ended, and what it printed.
  record Result(int exit, String out) {
    List<String> lines() {
      return out.lines().toList();
    }
  }

  static Result run(String... command) throws IOException {
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(Map.of("LC_ALL", "C.UTF-8"));
    try {
      Process process = builder.start();
      process.getOutputStream().close();
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Result(process.waitFor(), out);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while running " + command[0], e);
    }
  }

  /// What a program prints that must succeed.
  static String text(String... command) throws IOException {
    Result result = run(command);
    if (result.exit() != 0) {
      throw new IOException("%s failed: %s".formatted(String.join(" ", command), result.out()));
    }
    return result.out();
  }

  static List<String> lines(String... command) throws IOException {
    return text(command).lines().toList();
  }
}
