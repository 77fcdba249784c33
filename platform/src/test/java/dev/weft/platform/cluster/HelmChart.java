package dev.weft.platform.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// The chart, as helm renders it. Whoever has no helm skips its tests.
public final class HelmChart {
  private HelmChart() {}

  /// What a helm command printed.
  public record Printed(int exit, String out) {}

  /// The objects of a release named weft in the namespace default.
  public static String template(String... options) {
    List<String> command = new ArrayList<>(List.of("template", "weft", ApiServer.CHART.toString()));
    command.addAll(List.of("--namespace", "default"));
    command.addAll(List.of(options));
    Printed printed = helm(command.toArray(String[]::new));
    if (printed.exit() != 0) {
      throw new AssertionError(printed.out());
    }
    return printed.out();
  }

  public static Printed helm(String... arguments) {
    List<String> command = new ArrayList<>(List.of(ApiServer.binary("helm").toString()));
    command.addAll(List.of(arguments));
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Printed(process.waitFor(), out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
