package dev.weft.bench.load;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.bench.Subprocess;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import java.io.File;
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

/// The platform as it is installed, in a process of its own, with the stub of its tests as the
/// runtime in another: an engine that costs next to nothing, so that what is left is the gateway.
public final class StubbedPlatform extends BenchServer {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String STUB = "dev.weft.platform.stub.StubRuntime";
  private static final String FUNCTION = "bench";
  private static final String MANIFEST =
      """
      {"apiVersion": "weft.dev/v1alpha1", "kind": "Function", "metadata": {"name": "%s"},
       "spec": {"model": {"sources": ["file:///stub/model"]}}}
      """
          .formatted(FUNCTION);

  private final HttpClient client = HttpClient.newHttpClient();
  private final Path home;

  private StubbedPlatform(List<String> command, Path home, Path log) throws IOException {
    super(command, log);
    this.home = home;
  }

  /// @param build the directory that the platform's build writes to
  /// @param home an empty directory for the platform's state
  public static StubbedPlatform start(Path build, Path home, Path log) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Subprocess.javaCommand());
    command.add("@" + build.resolve("app/platform.options"));
    command.addAll(List.of("-Dweft.home=" + home, "-Dweft.http.port=0"));
    command.addAll(List.of("-Dweft.runtime.heap=256m", "-Dweft.runtime.main-class=" + STUB));
    command.add("-Dweft.runtime.classpath=" + testClassPath(build));
    command.addAll(List.of("-jar", build.resolve("quarkus-app/quarkus-run.jar").toString()));
    return new StubbedPlatform(command, home, log);
  }

  /// The platform's classes, those of its tests, and what they need.
  public static String testClassPath(Path build) throws IOException {
    return String.join(
        File.pathSeparator,
        build.resolve("test-classes").toString(),
        build.resolve("classes").toString(),
        Files.readString(build.resolve("classpath.txt")).strip());
  }

  @Override
  public Target target() throws IOException, InterruptedException {
    await(() -> Files.exists(home.resolve("run/platform.json")));
    await(() -> get("/api/v1/devices").at("/devices/0/status/phase").asText().equals("ready"));
    post("/api/v1/functions", MANIFEST);
    String path = "/api/v1/functions/" + FUNCTION;
    post(path + "/prewarm", "{}");
    await(() -> get(path).at("/status/tier").asText().equals("ready"));
    return new Target(base(), FUNCTION, key(), Map.of());
  }

  /// The gateway, as callers see it.
  public Endpoint gateway() throws IOException {
    return new Endpoint(base().getPort(), Map.of("Authorization", "Bearer " + key()));
  }

  /// The stub, as the gateway sees it.
  public Endpoint stub() throws IOException {
    String secret = Files.readString(home.resolve("run/runtimes/cpu-0.secret"));
    return new Endpoint(
        port("run/runtimes/cpu-0.json"),
        Map.of(
            "Authorization",
            "Bearer " + secret,
            ControlApi.FUNCTION_HEADER,
            FUNCTION,
            ControlApi.REVISION_HEADER,
            new RevisionId(new FunctionName(FUNCTION), 1).toString(),
            ControlApi.RESPONSE_ID_HEADER,
            "chatcmpl-0123456789abcdef0123456789abcdef",
            ControlApi.CREATED_HEADER,
            "1700000000",
            ControlApi.SEED_HEADER,
            "1"));
  }

  /// A chat with one message, to which the stub does as that says.
  public static String chat(String message, boolean stream) {
    return "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}"
        .formatted(FUNCTION, stream, message);
  }

  private URI base() throws IOException {
    return URI.create("http://127.0.0.1:" + port("run/platform.json"));
  }

  private int port(String file) throws IOException {
    return JSON.readTree(home.resolve(file).toFile()).path("port").asInt();
  }

  private String key() throws IOException {
    return Files.readString(home.resolve("keys/default")).strip();
  }

  private JsonNode get(String path) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(base().resolve(path)).GET());
  }

  private void post(String path, String body) throws IOException, InterruptedException {
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
