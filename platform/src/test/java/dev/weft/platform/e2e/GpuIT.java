package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// A CPU and a GPU on one machine. The GPU is emulated: the runtime is the one that is installed,
/// and the driver that it finds runs kernels on a processor, very slowly.
final class GpuIT {
  private static final Path HOST = Installation.ROOT.resolve("platform/target/e2e/gpu-host");
  private static final Path LOSS = HOST.resolve("loss");
  private static final int MOVING_TOKENS = 700;

  /// How much likelier a token may be than another device's choice: each of the two logits, of up
  /// to about ten, may be off by the 1.5 % that the backends' contract allows float32.
  private static final double MARGIN = 0.3;

  private static final Installation WEFT =
      Installation.create(
          "gpu",
          Map.ofEntries(
              Map.entry("WEFT_DEVICES", "cpu,gpu"),
              Map.entry("LD_LIBRARY_PATH", HOST.toString()),
              Map.entry("WEFT_NVRTC", HOST.resolve("libnvrtc.so").toString()),
              Map.entry("WEFT_EMULATOR_LOSS", LOSS.toString()),
              Map.entry("WEFT_RUNTIME_MEMORY", "1g"),
              Map.entry("WEFT_RUNTIME_THREADS", "1"),
              Map.entry("WEFT_RUNTIME_GPU_MEMORY", "512m"),
              // One step may take longer than a device should.
              Map.entry("WEFT_RUNTIME_HUNG_AFTER", "2m"),
              Map.entry("WEFT_RUNTIME_DRAIN_TIMEOUT", "1s"),
              Map.entry("WEFT_CONTROL_PERIOD", "50ms"),
              Map.entry("WEFT_CONTROL_LEAVE_GRACE", "1ms")));

  private static final HttpClient HTTP = HttpClient.newHttpClient();

  @BeforeAll
  static void up() throws IOException {
    Files.createDirectories(HOST);
    Files.deleteIfExists(LOSS);
    makeHost();
    WEFT.succeed("up", "-d", "--port", "0", "--no-quickstart");
    Installation.await(
        Duration.ofSeconds(60),
        "both devices are ready",
        () ->
            List.of("cpu-0", "gpu-0").stream()
                .allMatch(name -> device(name).at("/status/phase").asText().equals("ready")));
  }

  @AfterAll
  static void down() {
    WEFT.close();
  }

  /// Made by the GPU runtime's own tests: the driver, the compiler and a model.
  private static void makeHost() {
    Path root = Installation.ROOT;
    Installation.Result made =
        Installation.run(
            Map.of(),
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                "%s:%s:%s/*"
                    .formatted(
                        root.resolve("runtime-gpu/target/test-classes"),
                        root.resolve("runtime-core/target/test-classes"),
                        root.resolve("runtime-gpu/target/app")),
                "dev.weft.runtime.gpu.EmulatedHost",
                HOST.toString()));
    assertThat(made.exit()).as(made.toString()).isZero();
  }

  private static JsonNode device(String name) {
    return StreamSupport.stream(WEFT.json("top", "--once").path("devices").spliterator(), false)
        .filter(device -> device.path("device").asText().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private static void deploy(String name, String devices) throws IOException {
    Path manifest = WEFT.home().resolve(name + ".yaml");
    Files.writeString(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: %s}
        spec:
          devices: [%s]
          quantization: none
          serviceLevel: {ttft: 10m, tpot: 1m}
          model:
            sources: ["file:%s"]
        """
            .formatted(name, devices, HOST.resolve("model.gguf")));
    WEFT.succeed("deploy", "-f", manifest.toString(), "--wait");
  }

  private static String read(String function, int maxTokens, Runnable afterFiveFrames)
      throws IOException, InterruptedException {
    return StreamedText.read(HTTP, WEFT.story(function, maxTokens, true), afterFiveFrames);
  }

  /// At once, and not by a command, which takes longer than some streams.
  private static void drain(String device) {
    HttpRequest request = WEFT.post("/api/v1/devices/%s/drain".formatted(device), "{}");
    assertThat(HTTP.sendAsync(request, HttpResponse.BodyHandlers.ofString()).join().statusCode())
        .isEqualTo(202);
  }

  private static String placeOf(String function) {
    return StreamSupport.stream(
            WEFT.json("describe", function).at("/status/instances").spliterator(), false)
        .filter(instance -> instance.path("tier").asText().equals("ready"))
        .map(instance -> instance.path("device").asText())
        .collect(Collectors.joining(", "));
  }

  @Test
  void aGpuIsADeviceAndAnswersAsTheProcessorsDo() throws Exception {
    deploy("on-cpu", "cpu");
    deploy("on-gpu", "gpu");
    assertThat(placeOf("on-cpu")).isEqualTo("cpu-0");
    assertThat(placeOf("on-gpu")).isEqualTo("gpu-0");

    String text = read("on-gpu", 60, () -> {});
    assertThat(text).isNotEmpty().isEqualTo(read("on-cpu", 60, () -> {}));

    JsonNode gpu = device("gpu-0").path("status");
    assertThat(gpu.path("deviceClass").asText()).isEqualTo("gpu");
    assertThat(gpu.at("/memory/capacityBytes").asLong()).isEqualTo(512L << 20);
    assertThat(gpu.at("/memory/chunks/total").asInt()).isEqualTo(256);
    assertThat(gpu.at("/memory/chunks/held").asInt()).isPositive();
    assertThat(gpu.path("instances")).isNotEmpty();
    assertThat(WEFT.succeed("top", "--once")).contains("gpu-0");
  }

  @Test
  void aStreamMovesToTheGpuAndBack() throws Exception {
    deploy("moving", "cpu, gpu");
    assertThat(placeOf("moving")).as("processors come first").isEqualTo("cpu-0");
    List<JsonNode> whole = tokens(() -> {});

    assertSameWithinMargin(tokens(() -> drain("cpu-0")), whole);
    assertThat(placeOf("moving")).isEqualTo("gpu-0");
    WEFT.succeed("drain", "cpu-0", "--undo");

    assertSameWithinMargin(tokens(() -> drain("gpu-0")), whole);
    WEFT.succeed("drain", "gpu-0", "--undo");

    JsonNode decisions = WEFT.json("explain", "moving", "--limit", "1000").path("decisions");
    assertThat(
            decisions.findValuesAsText("reason").stream()
                .filter("its instance leaves the device"::equals))
        .hasSize(2);
  }

  /// Both devices have to say why they chose each token, since a stream that moves is held to it.
  private static List<JsonNode> tokens(Runnable afterFiveFrames)
      throws IOException, InterruptedException {
    String body =
        """
        {"model":"moving","temperature":0,"max_tokens":%d,"stream":true,"ignore_eos":true,
         "logprobs":true,"top_logprobs":2,
         "messages":[{"role":"user","content":"Tell a very long story."}]}\
        """
            .formatted(MOVING_TOKENS);
    return StreamedText.tokens(HTTP, WEFT.post("/v1/chat/completions", body), afterFiveFrames);
  }

  /// As many tokens, and the same ones until two were as good as equally likely; what follows then
  /// is another text.
  private static void assertSameWithinMargin(List<JsonNode> moved, List<JsonNode> whole) {
    assertThat(moved).hasSize(MOVING_TOKENS);
    assertThat(whole).hasSize(MOVING_TOKENS);
    for (int i = 0; i < MOVING_TOKENS; i++) {
      JsonNode token = whole.get(i);
      if (!moved.get(i).path("bytes").equals(token.path("bytes"))) {
        JsonNode second = token.at("/top_logprobs/1");
        assertThat(second.path("bytes")).as("token %d", i).isEqualTo(moved.get(i).path("bytes"));
        assertThat(token.path("logprob").asDouble() - second.path("logprob").asDouble())
            .as("token %d", i)
            .isLessThan(MARGIN);
        return;
      }
    }
  }

  @Test
  void aLostGpuComesBackAndStreamsGoOn() throws Exception {
    deploy("lost", "gpu");
    String whole = read("lost", 120, () -> {});

    String broken = read("lost", 120, GpuIT::loseGpu);

    assertThat(broken).isEqualTo(whole);
    assertThat(LOSS).doesNotExist();
    assertThat(Files.readString(WEFT.home().resolve("logs/platform.jsonl")))
        .contains("the runtime process ended with exit code 3: lost its GPU: cu")
        .contains("CUDA_ERROR_ILLEGAL_ADDRESS");
    assertThat(read("lost", 8, () -> {})).isNotEmpty();
  }

  private static void loseGpu() {
    try {
      Files.createFile(LOSS);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
