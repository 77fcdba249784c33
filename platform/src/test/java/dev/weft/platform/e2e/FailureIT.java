package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/// What must hold when processes die and when everybody calls at once.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class FailureIT {
  private static final Installation WEFT = Installation.create("failure");
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  @BeforeAll
  static void up() {
    WEFT.succeed("up", "-d", "--port", "0", "--no-quickstart");
    WEFT.succeed("deploy", "--catalog", "smollm2", "--wait");
  }

  @AfterAll
  static void down() {
    WEFT.close();
  }

  @Test
  @Order(1)
  void fiftyFirstCallsMakeOneLoad() {
    WEFT.succeed("deploy", "--catalog", "smollm2", "--name", "cold");
    List<CompletableFuture<HttpResponse<String>>> calls =
        IntStream.range(0, 50)
            .mapToObj(call ->
                HTTP.sendAsync(
                    chat("cold", "What is 2+2?", 8, false), HttpResponse.BodyHandlers.ofString()))
            .toList();
    List<HttpResponse<String>> answers = calls.stream().map(CompletableFuture::join).toList();
    assertThat(answers).allMatch(answer -> answer.statusCode() == 200);
    assertThat(answers.stream().map(FailureIT::content).distinct())
        .containsExactly(content(send(chat("What is 2+2?", 8, false))));
    assertThat(WEFT.json("describe", "cold").findPath("loadCount").asLong()).isEqualTo(1);
  }

  @Test
  @Order(2)
  void streamGoesOnUnseenWhenItsRuntimeIsKilled() throws Exception {
    for (String sampling : List.of("\"temperature\":0", "\"temperature\":1,\"seed\":7")) {
      String whole = stream(sampling, () -> {});
      ProcessHandle runtime = WEFT.runtime();
      String broken = stream(sampling, runtime::destroyForcibly);
      assertThat(broken).as(sampling).isEqualTo(whole).hasSizeGreaterThan(200);
      assertThat(WEFT.runtime().pid()).isNotEqualTo(runtime.pid());
    }
  }

  private static String stream(String sampling, Runnable afterFiveFrames) throws Exception {
    String body =
        """
        {"model":"smollm2","max_tokens":120,"stream":true,"ignore_eos":true,%s,
         "messages":[{"role":"user","content":"Tell a very long story."}]}\
        """
            .formatted(sampling);
    return StreamedText.read(HTTP, post(body), afterFiveFrames);
  }

  @Test
  @Order(3)
  void queuedRequestsSurviveTheRuntime() {
    List<CompletableFuture<HttpResponse<String>>> calls =
        IntStream.range(0, 12)
            .mapToObj(call ->
                HTTP.sendAsync(
                    chat("Count to twenty.", 24, false), HttpResponse.BodyHandlers.ofString()))
            .toList();
    WEFT.runtime().destroyForcibly();
    assertThat(calls.stream().map(CompletableFuture::join).map(HttpResponse::statusCode))
        .containsOnly(200);
  }

  @Test
  @Order(4)
  void killedPlatformFindsFunctionsKeysAndRuntimeAgain() {
    String secret =
        WEFT.json("keys", "create", "survivor", "--scope", "admin").path("secret").asText();
    ProcessHandle runtime = WEFT.runtime();
    ProcessHandle platform = WEFT.platform();
    platform.destroyForcibly();
    platform.onExit().join();
    assertThat(runtime.isAlive()).as("a runtime outlives its platform").isTrue();
    WEFT.succeed("up", "-d", "--port", "0", "--no-quickstart");
    assertThat(WEFT.runtime().pid())
        .as("a new platform adopts the runtime")
        .isEqualTo(runtime.pid());
    assertThat(WEFT.succeed("list")).contains("smollm2");
    assertThat(WEFT.succeed("keys", "list")).contains("survivor");
    var request =
        HttpRequest.newBuilder(URI.create(WEFT.baseUrl() + "/v1/models"))
            .header("Authorization", "Bearer " + secret)
            .build();
    assertThat(status(request)).isEqualTo(200);
    assertThat(content(send(chat("Hi", 4, false)))).isNotBlank();
  }

  @Test
  @Order(5)
  void downEndsOrphansOfAKilledPlatform() {
    ProcessHandle runtime = WEFT.runtime();
    ProcessHandle platform = WEFT.platform();
    platform.destroyForcibly();
    platform.onExit().join();
    WEFT.succeed("down");
    assertThat(runtime.isAlive()).isFalse();
  }

  private static HttpRequest chat(String text, int maxTokens, boolean stream) {
    return chat("smollm2", text, maxTokens, stream);
  }

  private static HttpRequest chat(String function, String text, int maxTokens, boolean stream) {
    String body =
        """
        {"model":"%s","temperature":0,"max_tokens":%d,"stream":%s,"ignore_eos":%s,
         "messages":[{"role":"user","content":"%s"}]}\
        """
            .formatted(function, maxTokens, stream, stream, text);
    return post(body);
  }

  private static HttpRequest post(String body) {
    return WEFT.post("/v1/chat/completions", body);
  }

  private static String content(HttpResponse<String> response) {
    return Installation.parse(response.body())
        .path("choices")
        .path(0)
        .path("message")
        .path("content")
        .asText();
  }

  private static HttpResponse<String> send(HttpRequest request) {
    try {
      return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static int status(HttpRequest request) {
    return send(request).statusCode();
  }
}
