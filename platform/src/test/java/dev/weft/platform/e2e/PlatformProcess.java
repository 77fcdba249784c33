package dev.weft.platform.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.StubHome;
import dev.weft.platform.stub.StubRuntime;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// The platform as it is installed, in a process of its own, with the tests' stub as its runtime.
final class PlatformProcess implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path APP =
      Installation.ROOT.resolve("platform/target/quarkus-app/quarkus-run.jar");

  private final Path home;
  private final Map<String, String> settings;
  private final Map<String, String> properties;
  private Process process;

  private PlatformProcess(Path home, Map<String, String> settings, Map<String, String> properties) {
    this.home = home;
    this.settings = Map.copyOf(settings);
    this.properties = Map.copyOf(properties);
    this.process = launch();
  }

  /// Starts one and waits until it listens.
  ///
  /// @param settings by their names without `weft.`
  static PlatformProcess start(Path home, Map<String, String> settings) {
    return start(home, settings, Map.of());
  }

  /// The same, with these system properties beside.
  static PlatformProcess start(
      Path home, Map<String, String> settings, Map<String, String> properties) {
    PlatformProcess started = new PlatformProcess(home, settings, properties);
    started.awaitListening();
    return started;
  }

  private Process launch() {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(List.of("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(
        List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
    command.add("-Dweft.home=" + home);
    command.add("-Dweft.runtime.heap=128m");
    command.add("-Dweft.runtime.main-class=" + StubRuntime.class.getName());
    command.add("-Dweft.runtime.classpath=" + StubHome.classpath());
    settings.forEach((name, value) -> command.add("-Dweft.%s=%s".formatted(name, value)));
    properties.forEach((name, value) -> command.add("-D%s=%s".formatted(name, value)));
    command.addAll(List.of("-jar", APP.toString()));
    try {
      Files.createDirectories(home);
      return new ProcessBuilder(command)
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.appendTo(home.resolve("output").toFile()))
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void awaitListening() {
    PlatformClient.await(() -> {
      if (!process.isAlive()) {
        throw new AssertionError(Installation.read(home.resolve("output")));
      }
      return announced().path("pid").asLong() == process.pid();
    });
  }

  private JsonNode announced() {
    Path file = home.resolve("run/platform.json");
    try {
      return Files.exists(file) ? JSON.readTree(Files.readString(file)) : JSON.createObjectNode();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  int port() {
    return announced().path("port").asInt();
  }

  /// Ends it at once, as a crash does, and waits until it has gone.
  void kill() {
    process.destroyForcibly().onExit().join();
  }

  /// Starts it again in the same home, and waits until it listens.
  void again() {
    process = launch();
    awaitListening();
  }

  /// Lets what runs finish and ends it.
  @Override
  public void close() {
    process.destroy();
    process.onExit().join();
  }
}
