package dev.weft.platform.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// A Weft of its own: a home of its own, ports of its own, driven through `./weft` alone. Homes
/// share the cache of model files, so that a machine downloads them once.
final class Installation implements AutoCloseable {
  static final Path ROOT = projectRoot();
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration COMMAND_LIMIT = Duration.ofMinutes(6);

  private final Path home;
  private final Map<String, String> environment;

  private Installation(Path home, Map<String, String> environment) {
    this.home = home;
    this.environment = Map.copyOf(environment);
  }

  /// A home that nothing runs in yet.
  static Installation create(String name) {
    return create(name, Map.of());
  }

  /// The same, with these settings in the environment of its commands.
  static Installation create(String name, Map<String, String> environment) {
    try {
      Path parent = Files.createDirectories(ROOT.resolve("platform/target/e2e"));
      Path home = Files.createTempDirectory(parent, name + "-");
      Path shared =
          Path.of(
              System.getenv().getOrDefault("WEFT_HOME", System.getProperty("user.home") + "/.weft"),
              "cache");
      Files.createDirectories(shared);
      Files.createSymbolicLink(home.resolve("cache"), shared);
      return new Installation(home, environment);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Path home() {
    return home;
  }

  /// Runs `./weft ARGUMENTS` in this home.
  Result weft(String... arguments) {
    List<String> command = new ArrayList<>(List.of(ROOT.resolve("weft").toString()));
    command.addAll(List.of(arguments));
    command.addAll(List.of("--home", home.toString()));
    return run(environment, command);
  }

  /// Runs `./weft ARGUMENTS`, which must succeed, and returns what it printed.
  String succeed(String... arguments) {
    Result result = weft(arguments);
    if (result.exit() != 0) {
      throw new AssertionError("weft " + String.join(" ", arguments) + " failed: " + result);
    }
    return result.out();
  }

  JsonNode json(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(List.of("-o", "json"));
    return parse(succeed(all.toArray(String[]::new)));
  }

  static Result run(Map<String, String> environment, List<String> command) {
    try {
      Path out = Files.createTempFile("weft-e2e", ".out");
      Path err = Files.createTempFile("weft-e2e", ".err");
      var builder = new ProcessBuilder(command).directory(ROOT.toFile());
      builder.environment().put("WEFT_NO_BUILD", "1");
      // What the machine has beside must not matter, but where a test asks for it.
      builder.environment().put("WEFT_DEVICES", "cpu");
      builder.environment().putAll(environment);
      Process process =
          builder
              .redirectOutput(out.toFile())
              .redirectError(err.toFile())
              .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
              .start();
      if (!process.waitFor(COMMAND_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError(
            "no end after " + COMMAND_LIMIT + ": " + command + read(out) + read(err));
      }
      var result = new Result(process.exitValue(), read(out), read(err));
      Files.delete(out);
      Files.delete(err);
      return result;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  String baseUrl() {
    return "http://127.0.0.1:" + announced("run/platform.json").path("port").asInt();
  }

  String key() {
    return read(home.resolve("keys/default")).strip();
  }

  ProcessHandle platform() {
    return process("run/platform.json");
  }

  ProcessHandle runtime() {
    return process("run/runtimes/cpu-0.json");
  }

  private ProcessHandle process(String file) {
    long pid = announced(file).path("pid").asLong();
    return ProcessHandle.of(pid)
        .orElseThrow(() -> new AssertionError("process " + pid + " of " + file + " is gone"));
  }

  private JsonNode announced(String file) {
    return parse(read(home.resolve(file)));
  }

  static JsonNode parse(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new AssertionError("not JSON: " + text, e);
    }
  }

  /// A request with the installation's own key.
  HttpRequest post(String path, String body) {
    return HttpRequest.newBuilder(URI.create(baseUrl() + path))
        .header("Authorization", "Bearer " + key())
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
  }

  /// A chat that goes on for as many tokens as it may have.
  HttpRequest story(String function, int maxTokens, boolean stream) {
    String body =
        """
        {"model":"%s","temperature":0,"max_tokens":%d,"stream":%s,"ignore_eos":true,
         "messages":[{"role":"user","content":"Tell a very long story."}]}\
        """
            .formatted(function, maxTokens, stream);
    return post("/v1/chat/completions", body);
  }

  static String read(Path file) {
    try {
      return Files.readString(file, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Waits until `condition` holds; fails with `what` when it does not in time.
  static void await(Duration limit, String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("not within " + limit + ": " + what);
      }
      try {
        Thread.sleep(20);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }

  /// Ends whatever still runs here, politely first.
  @Override
  public void close() {
    weft("down");
  }

  private static Path projectRoot() {
    Path directory = Path.of("").toAbsolutePath();
    while (!Files.exists(directory.resolve("weft"))) {
      directory = directory.getParent();
      if (directory == null) {
        throw new AssertionError("no launcher above the working directory");
      }
    }
    return directory;
  }

  /// How a command ended and what it printed.
  record Result(int exit, String out, String err) {}
}
