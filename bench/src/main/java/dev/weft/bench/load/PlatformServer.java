package dev.weft.bench.load;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.bench.Subprocess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// The platform as it is installed, in a process of its own, driven through its management API.
public abstract sealed class PlatformServer extends BenchServer
    permits LivePlatform, StubbedPlatform {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient client = HttpClient.newHttpClient();
  private final Path home;

  PlatformServer(List<String> command, Path home, Path log) throws IOException {
    super(command, log);
    this.home = home;
  }

  /// @param build the directory that the platform's build writes to
  /// @param settings beside those of every platform that is measured
  static List<String> command(Path build, Path home, Map<String, String> settings) {
    List<String> command = new ArrayList<>();
    command.add(Subprocess.javaCommand());
    command.add("@" + build.resolve("app/platform.options"));
    command.addAll(List.of("-Dweft.home=" + home, "-Dweft.http.port=0"));
    settings.forEach((name, value) -> command.add("-D%s=%s".formatted(name, value)));
    command.addAll(List.of("-jar", build.resolve("quarkus-app/quarkus-run.jar").toString()));
    return command;
  }

  /// The gateway, as callers see it.
  public final Endpoint gateway() throws IOException {
    return new Endpoint(base().getPort(), Map.of("Authorization", "Bearer " + key()));
  }

  /// Returns once so many devices take work.
  final void awaitDevices(int count) throws IOException, InterruptedException {
    await(() -> Files.exists(home.resolve("run/platform.json")));
    await(() -> {
      int ready = 0;
      for (JsonNode device : get("/api/v1/devices").path("devices")) {
        ready += device.at("/status/phase").asText().equals("ready") ? 1 : 0;
      }
      return ready == count;
    });
  }

  final URI base() throws IOException {
    return URI.create("http://127.0.0.1:" + port("run/platform.json"));
  }

  final int runtimePort(String device) throws IOException {
    return port("run/runtimes/%s.json".formatted(device));
  }

  final long runtimePid(String device) throws IOException {
    return announced("run/runtimes/%s.json".formatted(device)).path("pid").asLong();
  }

  final String runtimeSecret(String device) throws IOException {
    return Files.readString(home.resolve("run/runtimes/%s.secret".formatted(device))).strip();
  }

  private int port(String file) throws IOException {
    return announced(file).path("port").asInt();
  }

  private JsonNode announced(String file) throws IOException {
    return JSON.readTree(home.resolve(file).toFile());
  }

  final String key() throws IOException {
    return Files.readString(home.resolve("keys/default")).strip();
  }

  final JsonNode get(String path) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(base().resolve(path)).GET());
  }

  final void post(String path, String body) throws IOException, InterruptedException {
    send(HttpRequest.newBuilder(base().resolve(path)).POST(BodyPublishers.ofString(body)));
  }

  private JsonNode send(HttpRequest.Builder request) throws IOException, InterruptedException {
    HttpResponse<String> response =
        client.send(
            request
                .header("Authorization", "Bearer " + key())
                .header("Content-Type", "application/json")
                .build(),
            BodyHandlers.ofString());
    if (response.statusCode() >= 300) {
      throw new IOException(
          "%s: HTTP %d %s".formatted(response.uri(), response.statusCode(), response.body()));
    }
    return JSON.readTree(response.body());
  }
}
