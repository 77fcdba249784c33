package dev.weft.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.bench.LoadGenerator.Target;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Json;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/// Weft's CPU runtime as the platform starts it, with one function loaded through the control API.
final class WeftRuntime extends BenchServer {
  private static final ObjectMapper JSON = Json.mapper();
  private static final String SECRET = "a-secret-of-the-benchmark";
  private static final FunctionName FUNCTION = new FunctionName("smollm2");

  private final HttpClient client = HttpClient.newHttpClient();
  private final Path announce;
  private final Path model;

  private WeftRuntime(List<String> command, Path log, Path announce, Path model)
      throws IOException {
    super(command, log);
    this.announce = announce;
    this.model = model;
  }

  /// @param app the directory with the runtime's jars
  static WeftRuntime start(Path app, Path model, int threads, Path log) throws IOException {
    Path work =
        Files.createTempDirectory(
            "weft-bench",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path secret = Files.writeString(work.resolve("secret"), SECRET);
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
    Path announce = work.resolve("announce.json");
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-XX:+UseSerialGC",
            "-Xshare:auto",
            "-cp",
            app + "/*",
            "dev.weft.runtime.cpu.Main",
            "--device",
            "cpu-0",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--home",
            QuickstartModels.weftHome().toString(),
            "--secret-file",
            secret.toString(),
            "--announce",
            announce.toString(),
            "--threads",
            String.valueOf(threads));
    return new WeftRuntime(command, log, announce, model);
  }

  @Override
  Target target() throws IOException, InterruptedException {
    await(() -> Files.exists(announce));
    int port = JSON.readTree(Files.readAllBytes(announce)).path("port").asInt();
    URI base = URI.create("http://127.0.0.1:" + port);
    Revision revision =
        new Revision(
            new RevisionId(FUNCTION, 1),
            FunctionSpec.of(
                new Model(Model.Kind.GENERATION, List.of(ModelSource.of("file:" + model)), null)),
            Instant.now());
    HttpResponse<String> load =
        client.send(
            request(base.resolve(ControlApi.LOAD))
                .header("content-type", "application/json")
                .POST(
                    BodyPublishers.ofString(
                        JSON.writeValueAsString(new LoadRequest(revision, true))))
                .build(),
            BodyHandlers.ofString());
    if (load.statusCode() != 202) {
      throw new IllegalStateException("load: HTTP %d %s".formatted(load.statusCode(), load.body()));
    }
    await(() -> ready(base));
    return new Target(base, FUNCTION.value(), SECRET, Map.of());
  }

  private boolean ready(URI base) throws IOException, InterruptedException {
    HttpRequest status = request(base.resolve(ControlApi.STATUS)).build();
    String body = client.send(status, BodyHandlers.ofString()).body();
    for (InstanceStatus instance : JSON.readValue(body, DeviceStatus.class).instances()) {
      if (instance.failure() != null) {
        throw new IllegalStateException("load: " + instance.failure().message());
      }
      if (instance.tier() == Tier.READY) {
        return true;
      }
    }
    return false;
  }

  private static HttpRequest.Builder request(URI address) {
    return HttpRequest.newBuilder(address).header("authorization", "Bearer " + SECRET);
  }
}
