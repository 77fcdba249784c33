package dev.weft.platform.gateway;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static dev.weft.platform.stub.PlatformClient.chatStream;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.platform.stub.PlatformClient.Reply;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Calls of functions that are not loaded: one load however many call, held within the budget.
@QuarkusTest
class ColdStartTest extends PlatformTest {
  @Test
  void fiftyConcurrentFirstCallsLoadOnceAndAreAllAnswered() {
    client().deployed("crowd", "slow-400");
    List<CompletableFuture<Reply>> calls =
        IntStream.range(0, 50)
            .mapToObj(i ->
                client()
                    .sendAsync("POST", "/v1/chat/completions", chat("crowd", "hello number" + i)))
            .toList();
    for (int i = 0; i < calls.size(); i++) {
      Reply reply = calls.get(i).join();
      assertThat(reply.status()).as(reply.body()).isEqualTo(200);
      assertThat(reply.json().at("/choices/0/message/content").asText())
          .isEqualTo("hello number" + i);
    }
    assertThat(client().loads("crowd-00001")).isEqualTo(1);
  }

  @Test
  void streamIsHeldWithCommentsAndThenAnswered() {
    client().deployed("patient", "slow-500");
    String body = client().post("/v1/chat/completions", chatStream("patient", "words 3")).body();
    assertThat(body).startsWith(": waiting for an instance\n\n");
    assertThat(body.split(": waiting").length).isGreaterThan(3);
    assertThat(body).contains("\"content\":\"w0\"").endsWith("data: [DONE]\n\n");
  }

  @Test
  void waitBudgetEndsWith503AndTheStateOfTheLoad() {
    client().deploy("late", "slow-60000", "scaling: {waitBudget: 300ms}");
    Instant start = Instant.now();
    Reply reply = client().post("/v1/chat/completions", chat("late", "hello"));
    assertThat(Duration.between(start, Instant.now()))
        .isBetween(Duration.ofMillis(250), Duration.ofSeconds(3));
    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.raw().headers().firstValue("Retry-After")).isPresent();
    assertThat(reply.error().path("code").asText()).isEqualTo("model_loading");
    assertThat(reply.json().at("/loading/state").asText()).isEqualTo("fetching");
    assertThat(reply.json().at("/loading/progress").asDouble()).isEqualTo(0.25);
    assertThat(reply.json().at("/loading/bytes").asLong()).isEqualTo(25);
  }

  @Test
  void heldStreamPastItsBudgetEndsWithAnErrorEvent() {
    client().deploy("late-stream", "slow-60000", "scaling: {waitBudget: 300ms}");
    Reply reply = client().post("/v1/chat/completions", chatStream("late-stream", "hello"));
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.body()).contains("data: {\"error\":{\"message\":").doesNotContain("[DONE]");
  }

  @Test
  void oneMoreThanMayBeHeldIsTurnedAway() {
    client().deploy("full", "slow-1500", "limits: {maxHeldRequests: 2}");
    List<CompletableFuture<Reply>> held =
        IntStream.range(0, 2)
            .mapToObj(
                _ -> client().sendAsync("POST", "/v1/chat/completions", chat("full", "hello")))
            .toList();
    await(() ->
        client().get("/api/v1/functions/full").json().at("/status/heldRequests").asInt() == 2);
    Reply third = client().post("/v1/chat/completions", chat("full", "hello"));
    assertThat(third.status()).isEqualTo(429);
    assertThat(third.error().path("type").asText()).isEqualTo("rate_limit_error");
    assertThat(third.raw().headers().firstValue("Retry-After")).isPresent();
    held.forEach(call -> assertThat(call.join().status()).isEqualTo(200));
  }

  @Test
  void permanentFailureIsAnsweredAtOnceAndNotTriedAgain() {
    client().deployed("broken", "fail");
    Reply first = client().post("/v1/chat/completions", chat("broken", "hello"));
    assertThat(first.status()).isEqualTo(503);
    assertThat(first.error().path("message").asText()).contains("the stub was told to fail");
    Reply second = client().post("/v1/chat/completions", chat("broken", "hello"));
    assertThat(second.status()).isEqualTo(503);
    assertThat(client().loads("broken-00001")).isEqualTo(1);
    client().deployed("broken", "fail");
    client().post("/v1/chat/completions", chat("broken", "hello"));
    assertThat(client().loads("broken-00001")).as("a new deploy tries again").isEqualTo(2);
  }

  @Test
  void passingFailureIsToldAndTriedAgainLater() {
    client().deployed("flaky", "flaky");
    Reply first = client().post("/v1/chat/completions", chat("flaky", "hello"));
    assertThat(first.status()).isEqualTo(503);
    assertThat(first.raw().headers().firstValue("Retry-After")).isPresent();
    await(() -> client().post("/v1/chat/completions", chat("flaky", "hello")).status() == 200);
    assertThat(client().loads("flaky-00001")).isEqualTo(2);
  }

  @Test
  void clientThatLeavesDoesNotCancelTheLoad() {
    client().deployed("left", "slow-600");
    CompletableFuture<Reply> call =
        client().sendAsync("POST", "/v1/chat/completions", chat("left", "hello"));
    await(() -> client().loads("left-00001") == 1);
    call.cancel(true);
    await(() ->
        client().get("/api/v1/functions/left").json().at("/status/heldRequests").asInt() == 0);
    await(() -> client().tier("left").equals("ready"));
    assertThat(client().loads("left-00001")).isEqualTo(1);
  }

  @Test
  void idleInstanceGoesAfterItsKeepAlive() {
    client().deploy("brief", "quick", "scaling: {keepAlive: 500ms}");
    assertThat(client().post("/v1/chat/completions", chat("brief", "hello")).status())
        .isEqualTo(200);
    await(() -> client().tier("brief").equals("disk"));
    assertThat(client().post("/v1/chat/completions", chat("brief", "again")).status())
        .isEqualTo(200);
    assertThat(client().loads("brief-00001")).isEqualTo(2);
  }

  @Test
  void newRevisionTakesOverWithoutAGap() {
    client().warm("rolling", "quick-one");
    client().deployed("rolling", "slow-800");
    // The earlier revision answers while the new one loads.
    assertThat(client().post("/v1/chat/completions", chat("rolling", "hello")).status())
        .isEqualTo(200);
    assertThat(client().stats().at("/lastHeaders/weft-revision").asText())
        .isEqualTo("rolling-00001");
    await(() -> {
      client().post("/v1/chat/completions", chat("rolling", "hello"));
      return client().stats().at("/lastHeaders/weft-revision").asText().equals("rolling-00002");
    });
  }
}
