package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.server.RuntimeProcess;
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
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledIf;
import org.junit.jupiter.api.io.TempDir;

/// The runtime as a process, on the emulated driver: what it says of itself, that it answers, and
/// how it ends when its GPU is lost.
@Timeout(300)
class GpuRuntimeTest {
  private static final ObjectMapper JSON = Json.mapper();

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

  private Path log() {
    return directory.resolve("log");
  }

  private Path loss() {
    return directory.resolve("loss");
  }

  private Process launch(Map<String, String> environment, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx512m"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of(arguments));
    var builder = new ProcessBuilder(command);
    builder.environment().putAll(environment);
    Process process = builder.redirectErrorStream(true).redirectOutput(log().toFile()).start();
    processes.add(process);
    return process;
  }

  private Map<String, String> emulated() {
    Path there = EmulatedGpu.directory();
    EmulatedHost.compiler(there);
    return EmulatedHost.environment(there, loss());
  }

  private URI start() throws IOException, InterruptedException {
    return start(EmulatedHost.model(directory));
  }

  /// Starts a runtime that loads a model, and returns where it listens once that is ready.
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
            sources:
              - file:%s
        """
            .formatted(model));
    Process process =
        launch(
            emulated(),
            "--home",
            directory.resolve("home").toString(),
            "--secret-file",
            directory.resolve("secret").toString(),
            "--announce",
            directory.resolve("gpu-0.json").toString(),
            "--memory",
            "256M",
            "--function",
            manifest.toString());
    Path announcement = directory.resolve("gpu-0.json");
    await(process, () -> Files.exists(announcement));
    int port = JSON.readTree(announcement.toFile()).path("port").asInt();
    URI runtime = URI.create("http://127.0.0.1:" + port);
    await(process, () -> status(runtime).at("/instances/0/tier").asText().equals("ready"));
    return runtime;
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
    return HttpRequest.newBuilder(runtime.resolve(path))
        .header("authorization", "Bearer " + Files.readString(directory.resolve("secret")).strip())
        .timeout(Duration.ofMinutes(2));
  }

  private JsonNode status(URI runtime) throws IOException, InterruptedException {
    HttpRequest request = request(runtime, ControlApi.STATUS).GET().build();
    return JSON.readTree(http.send(request, BodyHandlers.ofString()).body());
  }

  private HttpRequest completion(URI runtime, int tokens) throws IOException {
    String body =
        "{\"model\":\"chat\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"temperature\":0,\"ignore_eos\":true,\"max_tokens\":%d,\"prompt\":\"once upon\"}"
            .formatted(tokens);
    return request(runtime, "/v1/completions").POST(BodyPublishers.ofString(body)).build();
  }

  @Test
  void itSaysWhatItIsAndAnswers() throws IOException, InterruptedException {
    URI runtime = start();
    JsonNode status = status(runtime);
    assertThat(status.path("device").asText()).isEqualTo("gpu-0");
    assertThat(status.path("deviceClass").asText()).isEqualTo("gpu");
    assertThat(status.at("/memory/capacityBytes").asLong()).isEqualTo(256L << 20);
    assertThat(status.at("/memory/chunks/total").asInt()).isEqualTo(128);
    assertThat(status.at("/instances/0/weightBytes").asLong()).isPositive();

    HttpResponse<String> answer = http.send(completion(runtime, 8), BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    assertThat(answer.body()).contains("\"completion_tokens\":8").endsWith("data: [DONE]\n\n");
    assertThat(status(runtime).at("/memory/chunks/held").asInt()).isPositive();
  }

  @Test
  void itMakesVectorsOfTexts() throws IOException, InterruptedException {
    URI runtime = start(EmulatedHost.encoder(directory));
    String body = "{\"model\":\"chat\",\"input\":[[5,6,7],[8,9],[5,6,7]]}";
    HttpRequest request =
        request(runtime, "/v1/embeddings").POST(BodyPublishers.ofString(body)).build();

    HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    JsonNode data = JSON.readTree(answer.body()).path("data");
    assertThat(data).hasSize(3);
    assertThat(data.at("/0/embedding")).isEqualTo(data.at("/2/embedding"));
    assertThat(data.at("/0/embedding")).isNotEqualTo(data.at("/1/embedding"));
    JsonNode instance = status(runtime).at("/instances/0");
    assertThat(instance.path("kind").asText()).isEqualTo("embedding");
    assertThat(instance.path("weightBytes").asLong()).isPositive();
  }

  @Test
  void aLostGpuEndsTheProcessWithItsReason() throws IOException, InterruptedException {
    URI runtime = start();
    HttpResponse<Stream<String>> response =
        http.send(completion(runtime, 400), BodyHandlers.ofLines());
    int lines = 0;
    try {
      for (Iterator<String> each = response.body().iterator(); each.hasNext(); each.next()) {
        lines++;
        if (lines == 5) {
          Files.createFile(loss());
        }
      }
    } catch (UncheckedIOException e) {
      assertThat(lines).as("the stream broke off").isGreaterThanOrEqualTo(5);
    }
    Process process = processes.getFirst();
    assertThat(process.waitFor()).isEqualTo(RuntimeProcess.EXIT_DEVICE_LOST);
    JsonNode words = JSON.readTree(directory.resolve("gpu-0.end.json").toFile());
    assertThat(words.path("pid").asLong()).isEqualTo(process.pid());
    assertThat(words.path("reason").asText())
        .matches("lost its GPU: cu\\w+ failed with CUDA_ERROR_ILLEGAL_ADDRESS \\(700\\): .*");
    assertThat(Files.readString(log())).contains("weft runtime: lost its GPU: ");
  }

  @Test
  @DisabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "this host has a driver")
  void aHostWithoutADriverIsToldWhatToDo() throws IOException, InterruptedException {
    Path announcement = directory.resolve("gpu-0.json");
    Process process =
        launch(
            Map.of(),
            "--home",
            directory.resolve("home").toString(),
            "--announce",
            announcement.toString());
    assertThat(process.waitFor()).isEqualTo(RuntimeProcess.EXIT_FAILED);
    assertThat(JSON.readTree(directory.resolve("gpu-0.end.json").toFile()).path("reason").asText())
        .startsWith("cannot start: no driver of NVIDIA is here: libcuda.so.1 cannot be loaded")
        .contains("install NVIDIA's driver 525 or newer");
  }

  @Test
  void aProbeIsOneLineOfJson() throws IOException, InterruptedException {
    Process process = launch(emulated(), "--probe");
    assertThat(process.waitFor()).as(Files.readString(log())).isZero();
    JsonNode probe = JSON.readTree(Files.readString(log()));
    assertThat(probe.path("cudaVersion").asText()).isEqualTo("13.0");
    assertThat(probe.at("/gpus/0/name").asText()).isEqualTo("emulated");
    assertThat(probe.at("/gpus/0/architecture").asText()).isEqualTo("sm_90");
    assertThat(probe.has("problem")).isFalse();
  }

  @Test
  void aGpuThatIsNotThereIsRefused() throws IOException, InterruptedException {
    Process process =
        launch(emulated(), "--home", directory.resolve("home").toString(), "--gpu", "1");
    assertThat(process.waitFor()).isEqualTo(RuntimeProcess.EXIT_FAILED);
    assertThat(Files.readString(log()))
        .contains("weft runtime: cannot start: GPU 1 is not there: the driver has 1");
  }
}
