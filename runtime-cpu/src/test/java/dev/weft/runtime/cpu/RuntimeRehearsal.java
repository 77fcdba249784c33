package dev.weft.runtime.cpu;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Json;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Makes the runtime's AOT cache (JEP 514): runs the runtime as it is installed, loads small models
/// of both kinds, asks it for what is asked of runtimes, ends it, and lets the JVM write down the
/// classes that it loaded and linked. The build calls this; the JVM ignores a cache that does not
/// fit its version or the jars.
///
/// A cache that cannot be made costs every start about half a second and fails no build.
public final class RuntimeRehearsal {
  private static final String SECRET = "a-secret-for-the-rehearsal";
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /// Writing the cache takes seconds of computing, on a machine that may be busy with other builds.
  private static final Duration WRITE_LIMIT = Duration.ofMinutes(5);

  private static final int LOG_TAIL_LINES = 5;
  private static final int ROUNDS = 2;
  private static final ObjectMapper JSON = Json.mapper();

  private final Path work;
  private final HttpClient client = HttpClient.newHttpClient();
  private int revisions;

  private RuntimeRehearsal(Path work) {
    this.work = work;
  }

  /// @param arguments the directory with the runtime's jars, and the cache to make
  public static void main(String[] arguments) throws IOException {
    Path app = Path.of(arguments[0]).toAbsolutePath();
    Path cache = Path.of(arguments[1]).toAbsolutePath();
    if (fresh(app, cache)) {
      return;
    }
    Path work = Files.createTempDirectory("weft-rehearsal");
    try {
      new RuntimeRehearsal(work).make(app, cache);
    } catch (IOException | RuntimeException e) {
      System.err.printf(
          "[WARNING] no AOT cache, so that the runtime starts more slowly: %s%n", e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      try (Stream<Path> files = Files.walk(work)) {
        files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
      }
    }
  }

  /// Whether the cache is newer than every jar.
  private static boolean fresh(Path app, Path cache) throws IOException {
    if (!Files.exists(cache)) {
      return false;
    }
    FileTime made = Files.getLastModifiedTime(cache);
    for (Path jar : jars(app)) {
      if (Files.getLastModifiedTime(jar).compareTo(made) > 0) {
        return false;
      }
    }
    return true;
  }

  /// In the order in which the platform puts them on the class path.
  private static List<Path> jars(Path app) throws IOException {
    try (Stream<Path> files = Files.list(app)) {
      return files.filter(file -> file.toString().endsWith(".jar")).sorted().toList();
    }
  }

  private void make(Path app, Path cache) throws IOException, InterruptedException {
    Path fresh = work.resolve("runtime.aot");
    Path announcement = work.resolve("announcement.json");
    Path log = work.resolve("log");
    Files.writeString(work.resolve("secret"), SECRET);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + app.resolve("runtime.options"));
    command.addAll(List.of("-XX:AOTCacheOutput=" + fresh, "-Xmx512m"));
    command.add("-cp");
    command.add(
        jars(app).stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator)));
    command.addAll(List.of(Main.class.getName(), "--home", work.resolve("home").toString()));
    command.addAll(List.of("--secret-file", work.resolve("secret").toString()));
    command.addAll(List.of("--announce", announcement.toString()));
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    try {
      await(process, log, "start", () -> Files.exists(announcement));
      int port = JSON.readTree(announcement.toFile()).path("port").asInt();
      rehearse(URI.create("http://127.0.0.1:" + port), process, log);
      process.destroy();
      if (!process.waitFor(WRITE_LIMIT.toSeconds(), TimeUnit.SECONDS) || !Files.exists(fresh)) {
        throw failure("did not write it", log);
      }
      Files.move(fresh, cache, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      process.destroyForcibly();
    }
  }

  private void rehearse(URI runtime, Process process, Path log)
      throws IOException, InterruptedException {
    Path llama = Files.createDirectory(work.resolve("llama"));
    Path gguf = TinyModels.llama(llama, 1).hidden(64).layers(2).dtype(DType.Q4_1).writeGguf();
    Path safetensors =
        TinyModels.llama(Files.createDirectory(work.resolve("transformers")), 2).writeSafetensors();
    Path bert = TinyModels.bert(Files.createDirectory(work.resolve("bert")), 3).writeSafetensors();
    for (int round = 0; round < ROUNDS; round++) {
      for (Path decoder : List.of(gguf, safetensors)) {
        RevisionId revision = load(runtime, "chat", decoder, process, log);
        generate(runtime);
        unload(runtime, revision);
      }
      RevisionId revision = load(runtime, "embed", bert, process, log);
      post(runtime.resolve("/v1/embeddings"), "{'model':'embed','input':['a text','b']}");
      unload(runtime, revision);
    }
    get(runtime.resolve("/metrics"));
    get(runtime.resolve("/v1/models"));
  }

  private void generate(URI runtime) throws IOException, InterruptedException {
    String messages = "'messages':[{'role':'user','content':'Say something.'}]";
    String prompt = "'prompt':'Once upon a time'";
    for (String sampling : List.of("'temperature':0", "'temperature':0.8,'seed':7")) {
      for (String stream : List.of("'stream':true", "'stream':false")) {
        String rest = "'model':'chat','max_tokens':16,%s,%s".formatted(sampling, stream);
        post(runtime.resolve("/v1/chat/completions"), "{%s,%s}".formatted(messages, rest));
        post(runtime.resolve("/v1/completions"), "{%s,%s}".formatted(prompt, rest));
      }
    }
  }

  private RevisionId load(URI runtime, String function, Path model, Process process, Path log)
      throws IOException, InterruptedException {
    revisions++;
    RevisionId id = RevisionId.parse("%s-%05d".formatted(function, revisions));
    FunctionSpec spec =
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:" + model)), null));
    post(
        runtime.resolve(ControlApi.LOAD),
        JSON.writeValueAsString(new LoadRequest(new Revision(id, spec, Instant.now()), false)));
    await(process, log, "load " + model.getFileName(), () -> ready(runtime, id));
    return id;
  }

  private boolean ready(URI runtime, RevisionId id) throws IOException, InterruptedException {
    for (JsonNode instance :
        JSON.readTree(get(runtime.resolve(ControlApi.STATUS))).path("instances")) {
      if (instance.path("revision").asText().equals(id.toString())) {
        return instance.path("tier").asText().equals("ready");
      }
    }
    return false;
  }

  private void unload(URI runtime, RevisionId id) throws IOException, InterruptedException {
    post(runtime.resolve(ControlApi.UNLOAD), JSON.writeValueAsString(new UnloadRequest(id, true)));
  }

  private void post(URI address, String body) throws IOException, InterruptedException {
    send(
        HttpRequest.newBuilder(address)
            .header("content-type", "application/json")
            .POST(BodyPublishers.ofString(body.replace('\'', '"'))));
  }

  private String get(URI address) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(address));
  }

  private String send(HttpRequest.Builder request) throws IOException, InterruptedException {
    HttpRequest ready = request.header("authorization", "Bearer " + SECRET).timeout(LIMIT).build();
    var response = client.send(ready, BodyHandlers.ofString());
    if (response.statusCode() >= 300) {
      throw new IOException(
          "%s answers %d: %s".formatted(ready.uri(), response.statusCode(), response.body()));
    }
    return response.body();
  }

  private interface Condition {
    boolean holds() throws IOException, InterruptedException;
  }

  private static void await(Process process, Path log, String what, Condition condition)
      throws IOException, InterruptedException {
    Instant deadline = Instant.now().plus(LIMIT);
    while (!condition.holds()) {
      if (!process.isAlive() || Instant.now().isAfter(deadline)) {
        throw failure("did not " + what, log);
      }
      Thread.sleep(20);
    }
  }

  private static IllegalStateException failure(String what, Path log) {
    try {
      List<String> lines = Files.readAllLines(log);
      String tail =
          String.join(
              System.lineSeparator(),
              lines.subList(Math.max(0, lines.size() - LOG_TAIL_LINES), lines.size()));
      return new IllegalStateException("the runtime %s:%n%s".formatted(what, tail));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
