package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.model.TinyModels;
import io.vertx.core.http.HttpMethod;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// The server over real HTTP: what clients see to the byte, and what happens to those that err,
/// leave, or come while a step hangs.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RuntimeServerTest {
  private static final String CACHED = "/usage/prompt_tokens_details/cached_tokens";
  private static final String CHAT = "/v1/chat/completions";
  private static final String COMPLETIONS = "/v1/completions";
  private static final String EMBEDDINGS = "/v1/embeddings";
  private static final String[] FIXED = {
    "weft-response-id", "chatcmpl-1", "weft-created", "1700000000", "weft-seed", "7"
  };

  private TestServer server;
  private String fingerprint;

  @BeforeAll
  void open(@TempDir Path directory) {
    server = new TestServer(directory, "Hé!");
    fingerprint =
        TestServer.json(server.post(CHAT, body("", ""))).get("system_fingerprint").textValue();
  }

  @AfterAll
  void close() {
    server.close();
  }

  @Test
  void answersAChat() {
    HttpResponse<String> response = server.post(CHAT, body("", ""), FIXED);
    assertThat(response.statusCode()).isEqualTo(200);
    int prompt = TestServer.json(response).at("/usage/prompt_tokens").intValue();
    // Other tests ask the same.
    int cached = TestServer.json(response).at(CACHED).intValue();
    assertThat(response.body())
        .isEqualTo(
            """
            {"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"chat",\
            "system_fingerprint":"%s","choices":[{"index":0,"message":{"role":"assistant",\
            "content":"Hé!","refusal":null},"logprobs":null,"finish_reason":"stop"}],\
            "usage":{"prompt_tokens":%d,"completion_tokens":5,"total_tokens":%d,\
            "prompt_tokens_details":{"cached_tokens":%d}}}\
            """
                .formatted(fingerprint, prompt, prompt + 5, cached));
  }

  @Test
  void tellsHowMuchOfAPromptWasKnown() {
    server.post(CHAT, body("", ""), FIXED);
    HttpResponse<String> again = server.post(CHAT, body("", ""), FIXED);

    assertThat(TestServer.json(again).at(CACHED).intValue()).as("one block of 17").isEqualTo(16);
  }

  @Test
  void speculationChangesNoAnswer() {
    HttpResponse<String> plain = server.post(CHAT, body("", ""), FIXED);
    HttpResponse<String> guessed =
        server.post(CHAT, body("\"speculation\":{\"prompt_lookup_tokens\":8}", ""), FIXED);

    assertThat(guessed.statusCode()).isEqualTo(200);
    assertThat(TestServer.json(guessed).at("/choices"))
        .isEqualTo(TestServer.json(plain).at("/choices"));
  }

  @Test
  void streamsAChatInFramesAsOpenAiDoes() {
    HttpResponse<String> response = server.post(CHAT, body("\"stream\":true", ""), FIXED);
    assertThat(response.headers().firstValue("content-type"))
        .contains("text/event-stream; charset=utf-8");
    assertThat(response.body())
        .isEqualTo(
            frame("{\"role\":\"assistant\",\"content\":\"\"}", "null", "")
                + frame("{\"content\":\"H\"}", "null", "")
                + frame("{\"content\":\"é\"}", "null", "")
                + frame("{\"content\":\"!\"}", "null", "")
                + frame("{}", "\"stop\"", "")
                + "data: [DONE]\n\n");
  }

  @Test
  void endsAStreamWithUsageWhenAsked() {
    HttpResponse<String> response =
        server.post(
            CHAT, body("\"stream\":true,\"stream_options\":{\"include_usage\":true}", ""), FIXED);
    assertThat(response.body())
        .startsWith(frame("{\"role\":\"assistant\",\"content\":\"\"}", "null", ",\"usage\":null"))
        .contains("\"choices\":[],\"usage\":{\"prompt_tokens\":")
        .containsPattern(
            "\"prompt_tokens_details\":\\{\"cached_tokens\":[0-9]+}}}\n\ndata: \\[DONE]\n\n$");
  }

  @Test
  void tellsTheTokensOfEachFrameToAGateway() {
    String[] headers = {"weft-tokens", "1"};
    String stream = server.post(CHAT, body("\"stream\":true", ""), headers).body();
    // A byte is a token, and its id is three more than it.
    assertThat(stream.lines().filter(line -> line.startsWith(":")))
        .containsExactly(": t", ": t 75", ": t 198 172", ": t 36", ": t end 5");
    assertThat(stream)
        .contains("\"usage\":{")
        .doesNotContain("\"usage\":null")
        .endsWith("data: [DONE]\n\n");
  }

  @Test
  void givesLogprobsInBothShapes() {
    JsonNode chat =
        TestServer.json(server.post(CHAT, body("\"logprobs\":true,\"top_logprobs\":2", "")));
    JsonNode first = chat.at("/choices/0/logprobs/content/0");
    assertThat(first.get("token").textValue()).isEqualTo("H");
    assertThat(first.get("bytes").toString()).isEqualTo("[72]");
    assertThat(first.get("top_logprobs")).hasSize(2);
    assertThat(first.get("logprob").doubleValue()).isBetween(-1.0, 0.0);

    String scoring =
        """
        {"model":"chat","prompt":"a\\n","max_tokens":0,"echo":true,"logprobs":1}\
        """;
    JsonNode choice = TestServer.json(server.post(COMPLETIONS, scoring)).at("/choices/0");
    assertThat(choice.get("text").textValue()).isEqualTo("a\n");
    assertThat(choice.at("/logprobs/tokens").toString()).isEqualTo("[\"a\",\"\\n\"]");
    assertThat(choice.at("/logprobs/token_logprobs/0").isNull()).isTrue();
    assertThat(choice.at("/logprobs/text_offset").toString()).isEqualTo("[0,1]");
  }

  @Test
  void completesEveryFormOfPrompt() {
    String tokens = "[%d]".formatted(3 + '\n');
    for (String prompt : new String[] {"\"\\n\"", "[\"\\n\"]", tokens, "[" + tokens + "]"}) {
      JsonNode answer =
          TestServer.json(
              server.post(
                  COMPLETIONS,
                  "{\"model\":\"chat\",\"prompt\":%s,\"n\":2,\"temperature\":0}"
                      .formatted(prompt)));
      assertThat(answer.get("choices")).as(prompt).hasSize(2);
      assertThat(answer.at("/choices/1/text").textValue()).as(prompt).isEqualTo("Hé!");
      assertThat(answer.at("/usage/prompt_tokens").intValue()).as(prompt).isEqualTo(1);
      assertThat(answer.at("/usage/completion_tokens").intValue()).as(prompt).isEqualTo(10);
    }
  }

  @Test
  void honoursStopAndLengthAndMinimum() {
    assertThat(content("\"stop\":\"é\"")).isEqualTo("H");
    assertThat(content("\"stop\":[\"x\",\"!\"]")).isEqualTo("Hé");
    assertThat(content("\"max_completion_tokens\":1")).isEqualTo("H");
    assertThat(content("\"min_tokens\":5,\"max_tokens\":5")).isEqualTo("Hé!H");
    assertThat(content("\"ignore_eos\":true,\"max_tokens\":4")).startsWith("Hé!");
    assertThat(content("\"logit_bias\":{\"75\":-100,\"100\":50},\"max_tokens\":1")).isEqualTo("a");
  }

  @Test
  void embedsInBothEncodings() {
    JsonNode floats =
        TestServer.json(server.post(EMBEDDINGS, "{\"model\":\"embed\",\"input\":[\"a b\",\"c\"]}"));
    JsonNode encoded =
        TestServer.json(
            server.post(
                EMBEDDINGS,
                "{\"model\":\"embed\",\"input\":\"a b\",\"encoding_format\":\"base64\"}"));
    assertThat(floats.get("data")).hasSize(2);
    JsonNode vector = floats.at("/data/0/embedding");
    byte[] bytes = Base64.getDecoder().decode(encoded.at("/data/0/embedding").textValue());
    var decoded = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    assertThat(decoded.remaining()).isEqualTo(vector.size());
    double squares = 0;
    for (int i = 0; i < vector.size(); i++) {
      assertThat(decoded.get(i)).isEqualTo(vector.get(i).floatValue());
      squares += vector.get(i).doubleValue() * vector.get(i).doubleValue();
    }
    assertThat(squares).isBetween(0.999, 1.001);
  }

  @Test
  void listsWhatServes() {
    JsonNode models = TestServer.json(server.get("/v1/models"));
    assertThat(models.get("data"))
        .extracting(m -> m.get("id").textValue())
        .containsExactly("chat", "embed");
    assertThat(server.get("/v1/models/chat").statusCode()).isEqualTo(200);
    assertThat(server.get("/v1/models/none").statusCode()).isEqualTo(404);
  }

  @Test
  void countsRequestsByFunctionAndError() {
    server.post(CHAT, body("", ""));
    server.post(
        CHAT, "{\"model\":\"made-up-name\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    String metrics = server.get("/metrics").body();
    assertThat(metrics)
        .contains("gen_ai_server_request_duration_seconds_bucket")
        .contains("le=\"81.92\"")
        .contains("gen_ai_server_time_to_first_token_seconds_bucket")
        .contains("weft_instance_kv_cache_usage{function=\"chat\"")
        .contains("error_type=\"model_not_found\"")
        .doesNotContain("made-up-name");
  }

  /// Goal: no route is forgotten. Method: every entry of the table itself, with no secret, a wrong
  /// one, and one of another scheme.
  @Test
  void answers401OnEveryRouteButHealth() {
    for (Route route : server.server.routes()) {
      String path = route.path().replace("{model}", "chat").replace("{ticket}", "0a1b");
      for (String header : new String[] {"", "Bearer wrong", "Basic " + TestServer.SECRET}) {
        var request = HttpRequest.newBuilder(server.uri(path));
        if (!header.isEmpty()) {
          request.header("Authorization", header);
        }
        var publisher =
            route.method().equals(HttpMethod.POST)
                ? HttpRequest.BodyPublishers.ofString("{}")
                : HttpRequest.BodyPublishers.noBody();
        var response = server.send(request.method(route.method().name(), publisher).build());
        assertThat(response.statusCode())
            .as("%s %s with '%s'", route.method(), path, header)
            .isEqualTo(path.equals("/health") ? 200 : 401);
      }
    }
    assertThat(server.send(HttpRequest.newBuilder(server.uri("/nothing")).build()).statusCode())
        .isEqualTo(401);
    assertThat(server.get("/nothing").statusCode()).isEqualTo(404);
    assertThat(server.get(CHAT).statusCode()).isEqualTo(405);
  }

  @Test
  void cancelsWhenTheClientLeaves() throws Exception {
    Semaphore steps = new Semaphore(3);
    server.device.backend.onStep(_ -> steps.acquireUninterruptibly());
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), server.server.port())) {
      byte[] body =
          body("\"stream\":true,\"ignore_eos\":true,\"max_tokens\":150", "")
              .getBytes(StandardCharsets.UTF_8);
      client
          .getOutputStream()
          .write(
              "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
                  .formatted(CHAT, TestServer.SECRET, body.length)
                  .getBytes(StandardCharsets.UTF_8));
      client.getOutputStream().write(body);
      InputStream answer = client.getInputStream();
      assertThat(answer.read()).isEqualTo('H');
      assertThat(chat().runningRequests()).isEqualTo(1);
    }
    // The step under way ends; the sequence must not get all of the others.
    await(() -> {
      steps.release();
      return !chat().busy();
    });
    server.device.backend.onStep(_ -> {});
    assertThat(chat().blocks().planned()).isZero();
    assertThat(chat().blocks().actual()).isZero();
    assertThat(server.post(CHAT, body("", "")).statusCode()).isEqualTo(200);
  }

  @Test
  void tellsTheTruthWhenAStepHangs() {
    CountDownLatch hang = new CountDownLatch(1);
    server.device.backend.onStep(_ -> {
      try {
        hang.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    assertThat(server.get("/health").statusCode()).isEqualTo(200);
    Thread waiting = Thread.ofVirtual().start(() -> server.post(CHAT, body("", "")));
    Engine engine = server.device.engine;
    await(() -> engine.sinceLastTurn().toMillis() > 1_100);
    assertThat(server.get("/health").statusCode()).isEqualTo(503);
    hang.countDown();
    server.device.backend.onStep(_ -> {});
    await(() -> server.get("/health").statusCode() == 200);
    await(() -> !waiting.isAlive());
  }

  @Test
  void saysHowFarALoadIs(@TempDir Path directory) {
    CountDownLatch go = new CountDownLatch(1);
    server.device.backend.onCompile(() -> {
      try {
        go.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    Path model = TinyModels.llama(directory, 2).writeGguf();
    String load =
        """
        {"revision":{"id":"late-00001","spec":{"model":{"sources":["file:%s"]}},\
        "createdAt":"2026-01-01T00:00:00Z"},"pinned":false}\
        """
            .formatted(model);
    assertThat(server.post("/control/load", load).statusCode()).isEqualTo(202);
    HttpResponse<String> early = server.post(CHAT, body("", "").replace("chat", "late"));
    assertThat(early.statusCode()).isEqualTo(503);
    assertThat(early.headers().firstValue("retry-after")).isPresent();
    assertThat(TestServer.json(early).at("/error/code").textValue()).isEqualTo("model_loading");
    assertThat(TestServer.json(early).at("/loading/state").isTextual()).isTrue();
    go.countDown();
    server.device.backend.onCompile(() -> {});
    await(() -> server.post(CHAT, body("", "").replace("chat", "late")).statusCode() == 200);
    String unload = "{\"revision\":\"late-00001\",\"force\":true}";
    assertThat(server.post("/control/unload", unload).statusCode()).isEqualTo(200);
  }

  @Test
  void keepsAStreamAliveBeforeItsFirstToken() {
    CountDownLatch hold = new CountDownLatch(1);
    server.device.backend.onStep(_ -> {
      try {
        assertThat(hold.await(600, java.util.concurrent.TimeUnit.MILLISECONDS)).isFalse();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    String stream = server.post(CHAT, body("\"stream\":true,\"max_tokens\":1", "")).body();
    server.device.backend.onStep(_ -> {});
    assertThat(stream).startsWith(": keep-alive\n\n").endsWith("data: [DONE]\n\n");
  }

  @Test
  void endsAStreamWithAnErrorEventWhenTheModelGoes(@TempDir Path directory) throws IOException {
    try (TestServer other = new TestServer(directory, "Hé!")) {
      CountDownLatch second = new CountDownLatch(2);
      Semaphore steps = new Semaphore(2);
      other.device.backend.onStep(_ -> {
        second.countDown();
        steps.acquireUninterruptibly();
      });
      Thread unloading =
          Thread.ofVirtual()
              .start(() -> {
                await(() -> second.getCount() == 0);
                // Not before the first token has been sent.
                var unload =
                    Thread.ofVirtual()
                        .start(() ->
                            other.post(
                                "/control/unload", "{\"revision\":\"chat-00001\",\"force\":true}"));
                await(() -> {
                  steps.release();
                  return !unload.isAlive();
                });
              });
      String stream =
          other
              .post(CHAT, body("\"stream\":true,\"ignore_eos\":true,\"max_tokens\":150", ""))
              .body();
      await(() -> !unloading.isAlive());
      assertThat(stream.strip().lines().reduce((_, last) -> last))
          .get()
          .asString()
          .startsWith("data: {\"error\":{\"message\":")
          .contains("\"code\":\"model_unloaded\"");
      assertThat(stream).doesNotContain("[DONE]");
    }
  }

  private String content(String parameters) {
    HttpResponse<String> response = server.post(CHAT, body(parameters, ""));
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return TestServer.json(response).at("/choices/0/message/content").textValue();
  }

  private static String body(String parameters, String message) {
    // Greedy, so that the scripted answer is the answer.
    return "{\"model\":\"chat\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%s}"
        .formatted(message, parameters.isEmpty() ? "" : "," + parameters);
  }

  private String frame(String delta, String finish, String usage) {
    return """
    data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"chat",\
    "system_fingerprint":"%s","choices":[{"index":0,"delta":%s,"logprobs":null,\
    "finish_reason":%s}]%s}

    """
        .formatted(fingerprint, delta, finish, usage);
  }

  private InstanceStatus chat() {
    return server.device.instances.status().instances().stream()
        .filter(instance -> instance.revision().function().value().equals("chat"))
        .findFirst()
        .orElseThrow();
  }

  /// Waits for something that other threads do, within a bound.
  private static void await(BooleanSupplier condition) {
    long until = System.nanoTime() + 30_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("waited too long").isLessThan(until);
      Thread.onSpinWait();
      java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
    }
  }
}
