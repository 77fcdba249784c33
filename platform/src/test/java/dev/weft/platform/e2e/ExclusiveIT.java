package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Two devices that serve one model at a time, and three functions.
final class ExclusiveIT {
  private static final Installation WEFT =
      Installation.create(
          "exclusive",
          Map.of(
              "WEFT_RUNTIME_CPUS", "0;1",
              "WEFT_RUNTIME_MEMORY", "2g",
              "WEFT_CONTROL_EXCLUSIVE", "true",
              "WEFT_RUNTIME_DRAIN_TIMEOUT", "1s"));

  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final List<String> FUNCTIONS = List.of("a", "b", "c");

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
  void whoFindsNoDeviceWaitsForOneAndTakesItOver() {
    for (String name : FUNCTIONS) {
      WEFT.succeed("deploy", "--catalog", "smollm2", "--name", name, "--wait");
    }
    assertThat(ready()).as("of three that were loaded one had to go").hasSize(2);

    List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      answers.add(call(FUNCTIONS.get(i % FUNCTIONS.size())));
    }
    Installation.await(
        Duration.ofSeconds(60),
        "all have answered",
        () -> {
          assertThat(perDevice()).as("instances of each device").allMatch(count -> count <= 1);
          return answers.stream().allMatch(CompletableFuture::isDone);
        });

    assertThat(answers).allSatisfy(answer -> assertThat(answer.join().statusCode()).isEqualTo(200));
    List<String> reasons = new ArrayList<>();
    for (String name : FUNCTIONS) {
      reasons.addAll(
          WEFT.json("explain", name, "--limit", "1000")
              .path("decisions")
              .findValuesAsText("reason"));
    }
    assertThat(reasons).anyMatch(reason -> reason.contains("has no device"));
  }

  private static CompletableFuture<HttpResponse<String>> call(String function) {
    String body =
        """
        {"model":"%s","temperature":0,"max_tokens":32,"ignore_eos":true,
         "messages":[{"role":"user","content":"Tell a story."}]}\
        """
            .formatted(function);
    return HTTP.sendAsync(
        HttpRequest.newBuilder(URI.create(WEFT.baseUrl() + "/v1/chat/completions"))
            .header("Authorization", "Bearer " + WEFT.key())
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private static List<String> ready() {
    List<String> ready = new ArrayList<>();
    for (JsonNode device : WEFT.json("top", "--once").path("devices")) {
      for (JsonNode instance : device.at("/status/instances")) {
        if (instance.path("tier").asText().equals("ready")) {
          ready.add(instance.path("revision").asText());
        }
      }
    }
    return ready;
  }

  /// How many models each device has in its memory.
  private static List<Integer> perDevice() {
    List<Integer> counts = new ArrayList<>();
    for (JsonNode device : WEFT.json("top", "--once").path("devices")) {
      int count = 0;
      for (JsonNode instance : device.at("/status/instances")) {
        String tier = instance.path("tier").asText();
        count += tier.equals("ready") || tier.equals("device") ? 1 : 0;
      }
      counts.add(count);
    }
    return counts;
  }
}
