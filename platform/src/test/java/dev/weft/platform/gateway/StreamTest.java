package dev.weft.platform.gateway;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static dev.weft.platform.stub.PlatformClient.chatStream;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.platform.stub.PlatformClient.Reply;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Streams: what goes through, and what happens when either side breaks.
@QuarkusTest
class StreamTest extends PlatformTest {
  @Test
  void framesPassAsTheyAreWithoutWhatIsForTheGateway() {
    client().warm("plain", "quick");
    Reply reply = client().post("/v1/chat/completions", chatStream("plain", "words 2"));
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.raw().headers().firstValue("Content-Type"))
        .hasValueSatisfying(type -> assertThat(type).startsWith("text/event-stream"));
    String id = client().stats().at("/lastHeaders/weft-response-id").asText();
    String created = client().stats().at("/lastHeaders/weft-created").asText();
    String head =
        "data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":%s,\"model\":\"plain\",\"choices\":[{\"index\":0,\"delta\":"
            .formatted(id, created);
    assertThat(reply.body())
        .isEqualTo(
            head
                + "{\"role\":\"assistant\",\"content\":\"w0\"},\"finish_reason\":null}]}\n\n"
                + head
                + "{\"content\":\" w1\"},\"finish_reason\":null}]}\n\n"
                + head
                + "{},\"finish_reason\":\"stop\"}]}\n\n"
                + "data: [DONE]\n\n");
  }

  @Test
  void usageIsInTheLastFrameWhenAsked() {
    client().warm("counted", "quick");
    String body =
        "{\"model\":\"counted\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"prompt\":\"words 3\"}";
    String answer = client().post("/v1/completions", body).body();
    assertThat(answer)
        .contains("\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3")
        .endsWith("data: [DONE]\n\n");
  }

  @Test
  void invocationIsRecordedWithItsTokensAndWorkflow() {
    client().warm("recorded", "quick");
    client()
        .post("/functions/recorded/invoke", "{\"stream\":true,\"prompt\":\"words 4 every 20\"}");
    JsonNode[] found = new JsonNode[1];
    await(() -> {
      found[0] = client().get("/api/v1/functions/recorded/invocations").json().at("/invocations/0");
      return !found[0].isMissingNode();
    });
    assertThat(found[0].path("revision").asText()).isEqualTo("recorded-00001");
    assertThat(found[0].path("device").asText()).isEqualTo("cpu-0");
    assertThat(found[0].path("operation").asText()).isEqualTo("text_completion");
    assertThat(found[0].path("status").asInt()).isEqualTo(200);
    assertThat(found[0].path("inputTokens").asInt()).isEqualTo(7);
    assertThat(found[0].path("outputTokens").asInt()).isEqualTo(4);
    assertThat(found[0].path("ttftMillis").asDouble()).isPositive();
    assertThat(found[0].path("durationMillis").asDouble())
        .isGreaterThan(found[0].path("ttftMillis").asDouble() + 50);
  }

  @Test
  void clientThatLeavesEndsTheRequestAtTheRuntime() throws IOException {
    client().warm("gone", "quick");
    int before = client().stats().path("cancelled").asInt();
    HttpResponse<InputStream> response =
        client().open("/v1/chat/completions", chatStream("gone", "words 1000 every 20"));
    try (InputStream body = response.body()) {
      assertThat(body.read()).isPositive();
    }
    await(() -> client().stats().path("cancelled").asInt() == before + 1);
    await(() ->
        client()
                .get("/api/v1/functions/gone/invocations")
                .json()
                .at("/invocations/0/status")
                .asInt()
            == 499);
  }

  @Test
  void streamThatBreaksEndsWithAnErrorEvent() {
    client().warm("cut", "quick");
    String body = client().post("/v1/chat/completions", chatStream("cut", "cut 2")).body();
    assertThat(body).contains("\"content\":\" w1\"").doesNotContain("[DONE]");
    assertThat(body.substring(body.lastIndexOf("data: ")))
        .startsWith("data: {\"error\":{\"message\":")
        .contains("\"type\":\"server_error\"", "\"param\":null", "\"code\":\"runtime_failed\"")
        .endsWith("\n\n");
  }

  @Test
  void streamThatIsCutInAFrameGoesOnWithoutATrace() {
    client().warm("snapped", "quick");
    int before = client().stats().path("continued").asInt();
    for (String ask : List.of("snap 6", "moved 6")) {
      String stream =
          "{\"model\":\"snapped\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"prompt\":\"%s\"}";
      String whole = client().post("/v1/completions", stream.formatted("words 6")).body();
      String broken = client().post("/v1/completions", stream.formatted(ask)).body();
      assertThat(content(broken)).isEqualTo("w0 w1 w2 w3 w4 w5");
      assertThat(frames(broken)).as("one id, one time").isEqualTo(frames(whole));
      assertThat(broken).doesNotContain("error", ": t", ": kv").endsWith("data: [DONE]\n\n");
    }
    assertThat(client().stats().path("continued").asInt()).isEqualTo(before + 2);
    JsonNode recorded = client().get("/api/v1/functions/snapped/invocations").json();
    assertThat(recorded.at("/invocations")).hasSize(4);
    assertThat(recorded.at("/invocations")).allMatch(each -> each.path("status").asInt() == 200);
    assertThat(recorded.at("/invocations"))
        .allMatch(each -> each.path("outputTokens").asInt() == 6);
    assertThat(client().get("/api/v1/decisions/snapped").json().path("decisions"))
        .filteredOn(decision -> decision.path("kind").asText().equals("moved"))
        .extracting(decision -> decision.path("code").asText())
        .containsExactly("runtime_failed", "instance_leaves", "keys_and_values");
  }

  /// The frames, with what differs from request to request taken out.
  private static List<String> frames(String stream) {
    return stream
        .lines()
        .filter(line -> line.startsWith("data: "))
        .map(line -> line.replaceAll("\"id\":\"[^\"]+\"|\"created\":[0-9]+", ""))
        .toList();
  }

  private static String content(String stream) {
    StringBuilder text = new StringBuilder();
    stream
        .lines()
        .filter(line -> line.startsWith("data: {"))
        .map(line -> parse(line.substring("data: ".length())))
        .forEach(frame -> {
          text.append(frame.at("/choices/0/text").asText(""));
          text.append(frame.at("/choices/0/delta/content").asText(""));
        });
    return text.toString();
  }

  private static JsonNode parse(String json) {
    try {
      return new ObjectMapper().readTree(json);
    } catch (IOException e) {
      throw new UncheckedIOException(json, e);
    }
  }

  @Test
  void streamGoesOnWhenItsRuntimeIsKilled() throws IOException {
    client().warm("killed", "quick");
    HttpResponse<InputStream> response =
        client().open("/v1/chat/completions", chatStream("killed", "words 50 every 10"));
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
      assertThat(lines.readLine()).startsWith("data: ");
      long pid = client().runtimePid();
      client().killRuntime();
      String rest = lines.lines().collect(Collectors.joining("\n"));
      assertThat(content(rest))
          .isEqualTo(IntStream.range(1, 50).mapToObj(i -> " w" + i).collect(Collectors.joining()));
      assertThat(rest).doesNotContain("error").contains("data: [DONE]");
      assertThat(client().runtimePid()).isNotEqualTo(pid);
    }
  }

  @Test
  void streamOfARevisionThatIsNoMoreEndsWithAnError() throws IOException {
    client().warm("replaced", "quick");
    HttpResponse<InputStream> response =
        client().open("/v1/chat/completions", chatStream("replaced", "words 500 every 20"));
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
      assertThat(lines.readLine()).startsWith("data: ");
      client().deployed("replaced", "slow-1");
      client().killRuntime();
      String last =
          lines.lines().filter(line -> line.startsWith("data: ")).reduce((_, b) -> b).orElseThrow();
      assertThat(last).startsWith("data: {\"error\":").contains("revision_replaced");
    }
    awaitRuntime();
  }

  @Test
  void wholeAnswersSurviveTheDeathOfTheRuntime() {
    client().warm("survivor", "quick");
    CompletableFuture<Reply> call =
        client().sendAsync("POST", "/v1/chat/completions", chat("survivor", "words 3 every 300"));
    await(() ->
        client()
                .get("/api/v1/functions/survivor")
                .json()
                .at("/status/instances/0/runningRequests")
                .asInt()
            == 1);
    client().killRuntime();
    Reply reply = call.join();
    assertThat(reply.status()).as(reply.body()).isEqualTo(200);
    assertThat(reply.json().at("/choices/0/message/content").asText()).isEqualTo("w0 w1 w2");
  }

  @Test
  void requestThatKillsRuntimesIsNotGivenToMore() {
    client().warm("poison", "quick");
    Reply reply = client().post("/v1/chat/completions", chat("poison", "die 1"));
    assertThat(reply.status()).isEqualTo(502);
    assertThat(reply.error().path("code").asText()).isEqualTo("runtime_failed");
    awaitRuntime();
    assertThat(client().post("/v1/chat/completions", chat("poison", "hello")).status())
        .isEqualTo(200);
  }

  @Test
  void hungRuntimeIsEndedAndStartedAgain() {
    client().warm("hung", "quick");
    long pid = client().runtimePid();
    client().stub("/stub/sick");
    await(() -> ProcessHandle.of(pid).isEmpty() || !ProcessHandle.of(pid).get().isAlive());
    assertThat(client().post("/v1/chat/completions", chat("hung", "hello")).status())
        .isEqualTo(200);
  }
}
