package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;

/// The cluster as its users meet it: `kubectl`, with the settings that the launcher gives.
final class Kubectl {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Kubectl() {}

  /// How a command ended and what it printed.
  record Result(int exit, String out, String err) {}

  /// Runs `kubectl ARGUMENTS`, whatever becomes of it.
  static Result attempt(String input, String... arguments) {
    return run("kubectl", input, arguments);
  }

  /// Runs `helm ARGUMENTS`, which must succeed.
  static void helm(String input, String... arguments) {
    checked(run("helm", input, arguments), "helm", arguments);
  }

  /// Runs any program, which must succeed, and returns what it printed.
  static String command(String program, String... arguments) {
    return checked(run(program, "", arguments), program, arguments);
  }

  static Result run(String program, String input, String... arguments) {
    List<String> command = new ArrayList<>(List.of(program));
    command.addAll(List.of(arguments));
    try {
      Process process = new ProcessBuilder(command).start();
      CompletableFuture<String> err =
          CompletableFuture.supplyAsync(() -> text(process.getErrorStream()));
      try (var in = process.getOutputStream()) {
        in.write(input.getBytes(StandardCharsets.UTF_8));
      }
      String out = text(process.getInputStream());
      return new Result(process.waitFor(), out, err.join());
    } catch (IOException e) {
      throw new UncheckedIOException("is this run by `./weft test --cluster`?", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static String text(java.io.InputStream stream) {
    try {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Runs `kubectl ARGUMENTS`, which must succeed, and returns what it printed.
  static String succeed(String... arguments) {
    return checked(attempt("", arguments), "kubectl", arguments);
  }

  /// Creates or changes what a manifest says.
  static void apply(String manifest, String... options) {
    List<String> arguments = new ArrayList<>(List.of("apply", "-f", "-"));
    arguments.addAll(List.of(options));
    checked(attempt(manifest, arguments.toArray(String[]::new)), "kubectl", "apply");
  }

  /// Creates what a manifest says.
  static void create(String manifest) {
    checked(attempt(manifest, "create", "-f", "-"), "kubectl", "create");
  }

  static JsonNode get(String... arguments) {
    List<String> all = new ArrayList<>(List.of("get"));
    all.addAll(List.of(arguments));
    all.addAll(List.of("-o", "json"));
    try {
      return JSON.readTree(succeed(all.toArray(String[]::new)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String checked(Result result, String program, String... arguments) {
    if (result.exit() != 0) {
      throw new AssertionError(
          "%s %s failed: %s%s"
              .formatted(program, String.join(" ", arguments), result.out(), result.err()));
    }
    return result.out();
  }

  /// Waits until `condition` holds; fails with `what` when it does not in time.
  static void await(Duration limit, String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("not within " + limit + ": " + what);
      }
      try {
        Thread.sleep(100);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }
}
