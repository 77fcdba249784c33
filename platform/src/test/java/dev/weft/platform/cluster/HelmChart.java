package dev.weft.platform.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The chart, as helm renders it, and what else reads it. Whoever lacks a program skips its tests.
public final class HelmChart {
  private HelmChart() {}

  /// What a command printed.
  public record Printed(int exit, String out) {}

  /// The objects of a release named weft in the namespace default.
  public static String template(String... options) {
    List<String> command = new ArrayList<>(List.of("template", "weft", ApiServer.CHART.toString()));
    command.addAll(List.of("--namespace", "default", "--skip-tests"));
    command.addAll(List.of(options));
    Printed printed = helm(command.toArray(String[]::new));
    if (printed.exit() != 0) {
      throw new AssertionError(printed.out());
    }
    return printed.out();
  }

  /// Installs a release in a cluster.
  public static Printed install(
      Path kubeconfig, String release, String namespace, String... options) {
    List<String> command = new ArrayList<>(List.of("install", release, ApiServer.CHART.toString()));
    command.addAll(List.of("--kubeconfig", kubeconfig.toString(), "--namespace", namespace));
    command.addAll(List.of(options));
    return helm(command.toArray(String[]::new));
  }

  public static Printed helm(String... arguments) {
    return run("helm", arguments);
  }

  static Printed run(String program, String... arguments) {
    List<String> command = new ArrayList<>(List.of(ApiServer.binary(program).toString()));
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
