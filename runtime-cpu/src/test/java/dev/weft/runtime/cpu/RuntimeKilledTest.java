package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.Quantization;
import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.instance.InstanceSettings;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A whole runtime that is killed (`kill -9`) while requests push each other out to its swap file:
/// what was told stays true, what was not is computed by the next process, and nothing is left.
@Timeout(300)
class RuntimeKilledTest {
  private static final ObjectMapper JSON = Json.mapper();
  private static final int CONTEXT = 1_024;
  private static final int REQUESTS = 16;
  private static final int TOKENS = 700;

  /// KV memory of less than three of the requests.
  private static final int CHUNKS = 3;

  @TempDir private Path directory;

  private final HttpClient http = HttpClient.newHttpClient();
  private final List<Process> processes = new ArrayList<>();

  @AfterEach
  void endAll() throws InterruptedException {
    for (Process process : processes) {
      process.destroyForcibly().waitFor();
    }
    http.close();
  }

  private Path home() {
    return directory.resolve("home");
  }

  private Path log() {
    return directory.resolve("log");
  }

  /// 4 KiB of keys and values a token.
  private Path model() {
    return TinyModels.llama(directory, 5).hidden(256).heads(8, 8).context(CONTEXT).writeGguf();
  }

  /// What the model takes, and a few chunks more.
  private long memoryBytes(Path model) {
    var settings = InstanceSettings.DEFAULT;
    var options =
        new CompileOptions(
            Quantization.AUTO, CONTEXT, 0, settings.maxBatchTokens(), settings.maxSequences());
    try (var files = ModelFiles.open(model);
        var backend = CpuDevices.backend()) {
      var footprint = backend.footprint(files.spec(), files.weights(), options);
      long chunk = ChunkMemory.CHUNK_BYTES;
      return footprint.weightBytes()
          + (Math.ceilDiv(footprint.activationBytes(), chunk) + CHUNKS) * chunk;
    }
  }

  /// Starts a runtime, to whose callers so little is promised that nothing but room bounds its swap
  /// file, and returns where it listens once the model is ready.
  private URI start(Path model) throws IOException, InterruptedException {
    Path manifest = directory.resolve("chat.yaml");
    Files.writeString(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata:
          name: chat
        spec:
          model:
            contextLength: %d
            sources:
              - file:%s
          serviceLevel:
            ttft: 10m
            tpot: 1m
        """
            .formatted(CONTEXT, model));
    Path announcement = directory.resolve("announcement-%d.json".formatted(processes.size()));
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx512m",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "--home",
                home().toString(),
                "--secret-file",
                directory.resolve("secret").toString(),
                "--announce",
                announcement.toString(),
                "--memory",
                Long.toString(memoryBytes(model)),
                "--swap",
                "64M",
                "--function",
                manifest.toString())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
            .start();
    processes.add(process);
    await(process, () -> Files.exists(announcement));
    int port = JSON.readTree(announcement.toFile()).path("port").asInt();
    URI runtime = URI.create("http://127.0.0.1:" + port);
    await(process, () -> ready(runtime));
    return runtime;
  }

  private boolean ready(URI runtime) throws IOException, InterruptedException {
    JsonNode instances = JSON.readTree(get(runtime, ControlApi.STATUS)).path("instances");
    return instances.path(0).path("tier").asText().equals("ready");
  }

  private interface Condition {
    boolean holds() throws IOException, InterruptedException;
  }

  private void await(Process process, Condition condition)
      throws IOException, InterruptedException {
    while (!condition.holds()) {
      assertThat(process.waitFor(5, TimeUnit.MILLISECONDS))
          .as("the runtime ended: %s", Files.readString(log()))
          .isFalse();
    }
  }

  private HttpRequest.Builder request(URI runtime, String path) throws IOException {
    String secret = Files.readString(directory.resolve("secret")).strip();
    return HttpRequest.newBuilder(runtime.resolve(path))
        .header("authorization", "Bearer " + secret)
        .timeout(Duration.ofMinutes(2));
  }

  private String get(URI runtime, String path) throws IOException, InterruptedException {
    return http.send(request(runtime, path).build(), BodyHandlers.ofString()).body();
  }

  /// Text and tokens of one answer, as far as it came.
  private static final class Heard {
    private final StringBuilder text = new StringBuilder();
    private boolean ended;
  }

  private Heard ask(URI runtime, int number) {
    var heard = new Heard();
    String body =
        """
        {"model":"chat","prompt":"request %d","max_tokens":%d,"ignore_eos":true,
         "temperature":1,"seed":%d,"stream":true}
        """
            .formatted(number, TOKENS, number);
    try {
      HttpResponse<Stream<String>> response =
          http.send(
              request(runtime, "/v1/completions").POST(BodyPublishers.ofString(body)).build(),
              BodyHandlers.ofLines());
      assertThat(response.statusCode()).isEqualTo(200);
      response.body().forEach(line -> hear(heard, line));
    } catch (IOException | UncheckedIOException e) {
      // It was killed; what was heard until then stays.
      return heard;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    return heard;
  }

  private static void hear(Heard heard, String line) {
    if (line.equals("data: [DONE]")) {
      heard.ended = true;
    } else if (line.startsWith("data: ")) {
      try {
        JsonNode frame = JSON.readTree(line.substring("data: ".length()));
        heard.text.append(frame.path("choices").path(0).path("text").asText());
      } catch (IOException e) {
        // The last frame was cut.
        return;
      }
    }
  }

  private List<CompletableFuture<Heard>> askAll(URI runtime) {
    var asked = new ArrayList<CompletableFuture<Heard>>();
    for (int i = 0; i < REQUESTS; i++) {
      int number = i;
      var answer = new CompletableFuture<Heard>();
      Thread.startVirtualThread(() -> {
        try {
          answer.complete(ask(runtime, number));
        } catch (RuntimeException | Error e) {
          answer.completeExceptionally(e);
        }
      });
      asked.add(answer);
    }
    return asked;
  }

  private double metric(URI runtime, String name) throws IOException, InterruptedException {
    return get(runtime, "/metrics")
        .lines()
        .filter(line -> line.startsWith(name))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
        .sum();
  }

  private List<Path> swapFiles() throws IOException {
    try (Stream<Path> files = Files.list(home().resolve("swap"))) {
      return files.toList();
    }
  }

  @Test
  void nothingIsLostButTheRunningStep()
      throws IOException, InterruptedException, ExecutionException {
    Path model = model();
    URI first = start(model);
    List<CompletableFuture<Heard>> cut = askAll(first);
    Process process = processes.getFirst();
    await(
        process,
        () -> {
          assertThat(cut).as("requests run").anyMatch(each -> !each.isDone());
          return metric(first, "weft_runtime_swap_in_bytes_total") > 0;
        });
    process.destroyForcibly().waitFor();
    var heard = new ArrayList<Heard>();
    for (var each : cut) {
      heard.add(each.get());
    }
    assertThat(heard).as("it was in the middle of them").anyMatch(each -> !each.ended);
    assertThat(swapFiles()).allSatisfy(file -> assertThat(file).isEmptyFile());
    // As if it had been killed between making a file and taking its name away.
    Files.createFile(home().resolve("swap").resolve("kv-left.swap"));

    URI second = start(model);

    assertThat(swapFiles()).isEmpty();
    List<CompletableFuture<Heard>> whole = askAll(second);
    for (int i = 0; i < REQUESTS; i++) {
      Heard answer = whole.get(i).get();
      assertThat(answer.ended).as("request %d", i).isTrue();
      assertThat(answer.text).as("request %d", i).startsWith(heard.get(i).text);
      if (heard.get(i).ended) {
        assertThat(answer.text).hasToString(heard.get(i).text.toString());
      }
    }
    assertThat(metric(second, "weft_runtime_swap_in_bytes_total")).isPositive();
    assertThat(metric(second, "weft_engine_preemptions_total")).isPositive();
  }
}
