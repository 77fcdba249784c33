package dev.weft.bench.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.bench.Subprocess;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Json;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Quantization;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
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
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// Weft's CPU runtime as the platform starts it, driven through its control API.
public final class WeftRuntime extends BenchServer {
  private static final ObjectMapper JSON = Json.mapper();
  private static final String SECRET = "a-secret-of-the-benchmark";

  private static final String HEAP = "-Xmx1g";

  private final HttpClient client = HttpClient.newHttpClient();
  private final Path announce;
  private final List<Function> functions;

  /// A function to load.
  ///
  /// @param contextLength 0 for the model's own
  public record Function(String name, Path model, Quantization quantization, int contextLength) {
    Revision revision() {
      Model source =
          new Model(
              Model.Kind.GENERATION,
              List.of(ModelSource.of("file:" + model.toAbsolutePath())),
              contextLength == 0 ? null : contextLength);
      // By names: members that are left out take their defaults.
      Map<String, Object> spec = Map.of("model", source, "quantization", quantization);
      return new Revision(id(), JSON.convertValue(spec, FunctionSpec.class), Instant.EPOCH);
    }

    RevisionId id() {
      return new RevisionId(new FunctionName(name), 1);
    }
  }

  /// How to start the runtime.
  ///
  /// @param classPath its jars
  /// @param home its state; kept, it keeps what makes the next start faster
  /// @param memory for `--memory`
  public record Options(
      String classPath,
      Path home,
      int threads,
      Optional<Long> memory,
      List<Function> functions,
      Path log) {
    public Options {
      functions = List.copyOf(functions);
    }
  }

  private WeftRuntime(List<String> command, Options options, Path announce) throws IOException {
    super(command, options.log());
    this.announce = announce;
    this.functions = options.functions();
  }

  public static WeftRuntime start(Options options) throws IOException {
    Path meeting =
        Files.createTempDirectory(
            "weft-bench",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path secret = Files.writeString(meeting.resolve("secret"), SECRET);
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
    Path announce = meeting.resolve("announce.json");
    List<String> command = new ArrayList<>();
    command.add(Subprocess.javaCommand());
    command.add(HEAP);
    command.addAll(classPath(options.classPath()));
    command.add("dev.weft.runtime.cpu.Main");
    command.addAll(List.of("--device", "cpu-0", "--host", "127.0.0.1", "--port", "0"));
    command.addAll(List.of("--home", options.home().toString()));
    command.addAll(List.of("--secret-file", secret.toString(), "--announce", announce.toString()));
    command.addAll(List.of("--threads", String.valueOf(options.threads())));
    options.memory().ifPresent(bytes -> command.addAll(List.of("--memory", bytes.toString())));
    return new WeftRuntime(command, options, announce);
  }

  /// A directory of jars (`app/*`) by name, in the order in which its AOT cache was made, with that
  /// cache and the options beside it, as the platform starts a runtime; any other class path as it
  /// is.
  private static List<String> classPath(String classPath) throws IOException {
    if (!classPath.endsWith("/*")) {
      return List.of("-cp", classPath);
    }
    Path app = Path.of(classPath.substring(0, classPath.length() - 2));
    List<String> flags = new ArrayList<>();
    flags.add("@" + app.resolve("runtime.options"));
    Path cache = app.resolve("runtime.aot");
    if (Files.exists(cache)) {
      flags.add("-XX:AOTCache=" + cache);
    }
    try (Stream<Path> files = Files.list(app)) {
      List<String> jars =
          files.map(Path::toString).filter(file -> file.endsWith(".jar")).sorted().toList();
      flags.addAll(List.of("-cp", String.join(File.pathSeparator, jars)));
    }
    return flags;
  }

  /// Loads the functions that it was started with, and gives the first.
  @Override
  public Target target() throws IOException, InterruptedException {
    for (Function function : functions) {
      load(function);
    }
    return target(functions.getFirst());
  }

  public Target target(Function function) throws IOException, InterruptedException {
    return new Target(base(), function.name(), SECRET, Map.of());
  }

  private URI base() throws IOException, InterruptedException {
    await(() -> Files.exists(announce));
    int port = JSON.readTree(Files.readAllBytes(announce)).path("port").asInt();
    return URI.create("http://127.0.0.1:" + port);
  }

  /// Returns once it is ready. It is never evicted for another.
  public void load(Function function) throws IOException, InterruptedException {
    post(ControlApi.LOAD, new LoadRequest(function.revision(), true), 202);
    await(() -> {
      Optional<InstanceStatus> instance = instance(function);
      instance
          .map(InstanceStatus::failure)
          .ifPresent(failure -> {
            throw new IllegalStateException("load: " + failure.message());
          });
      return instance.map(InstanceStatus::tier).equals(Optional.of(Tier.READY));
    });
  }

  /// Returns once it is gone.
  public void unload(Function function) throws IOException, InterruptedException {
    post(ControlApi.UNLOAD, new UnloadRequest(function.id(), true), 200);
    await(() -> !instance(function).map(InstanceStatus::tier).equals(Optional.of(Tier.READY)));
  }

  public Optional<InstanceStatus> instance(Function function)
      throws IOException, InterruptedException {
    return status().instances().stream()
        .filter(instance -> instance.revision().equals(function.id()))
        .findFirst();
  }

  public DeviceStatus status() throws IOException, InterruptedException {
    return JSON.readValue(get(ControlApi.STATUS), DeviceStatus.class);
  }

  /// Its meters, as of now.
  public Meters meters() throws IOException, InterruptedException {
    return Meters.parse(get("/metrics"));
  }

  private void post(String path, Object body, int expected)
      throws IOException, InterruptedException {
    HttpResponse<String> response =
        client.send(
            request(path)
                .header("content-type", "application/json")
                .POST(BodyPublishers.ofString(JSON.writeValueAsString(body)))
                .build(),
            BodyHandlers.ofString());
    if (response.statusCode() != expected) {
      throw new IllegalStateException(
          "%s: HTTP %d %s".formatted(path, response.statusCode(), response.body()));
    }
  }

  private String get(String path) throws IOException, InterruptedException {
    HttpResponse<String> response = client.send(request(path).build(), BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IOException("%s: %d %s".formatted(path, response.statusCode(), response.body()));
    }
    return response.body();
  }

  private HttpRequest.Builder request(String path) throws IOException, InterruptedException {
    return HttpRequest.newBuilder(base().resolve(path)).header("authorization", "Bearer " + SECRET);
  }
}
