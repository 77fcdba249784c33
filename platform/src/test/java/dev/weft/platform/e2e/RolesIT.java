package dev.weft.platform.e2e;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformClient.Reply;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/// Two gateways and a controller, each a process of its own, and what callers see when one of them
/// dies. The controller is the one process that a function's deploy and load need.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class RolesIT {
  private static final String CHAT = "/v1/chat/completions";
  private static final int PHASE = 100;

  @TempDir static Path directory;

  private static PlatformProcess controller;
  private static PlatformProcess one;
  private static PlatformProcess two;
  private static int answered;

  @BeforeAll
  static void up() throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    controller =
        PlatformProcess.start(
            directory.resolve("controller"),
            Map.of("role", "controller", "http.port", String.valueOf(port)));
    await(() ->
        manager()
            .get("/api/v1/devices")
            .json()
            .at("/devices/0/status/phase")
            .asText()
            .equals("ready"));
    manager().warm("known", "quick");
    manager().warm("uncounted", "quick");
    one = gateway("one");
    two = gateway("two");
  }

  @AfterAll
  static void down() {
    for (PlatformProcess process : List.of(one, two, controller)) {
      process.close();
    }
  }

  private static PlatformProcess gateway(String name) {
    return PlatformProcess.start(
        directory.resolve(name),
        Map.of(
            "role",
            "gateway",
            "http.port",
            "0",
            "controller.url",
            "http://127.0.0.1:" + controllerPort(),
            "controller.key-file",
            key().toString()));
  }

  private static Path key() {
    return directory.resolve("controller/keys/default");
  }

  private static int controllerPort() {
    return controller.port();
  }

  private static PlatformClient manager() {
    return new PlatformClient(controllerPort(), directory.resolve("controller").toString());
  }

  private static PlatformClient caller(PlatformProcess gateway) {
    return new PlatformClient(
        gateway.port(),
        directory.resolve("controller").toString(),
        Installation.read(key()).strip());
  }

  private static Reply call(PlatformProcess gateway) {
    Reply reply = caller(gateway).post(CHAT, chat("known", "words 4"));
    if (reply.status() == 200) {
      answered++;
    }
    return reply;
  }

  private static String content(Reply reply) {
    return reply.json().at("/choices/0/message/content").asText();
  }

  @Test
  @Order(1)
  void theSameRequestGetsTheSameAnswerFromEither() {
    await(() -> call(one).status() == 200 && call(two).status() == 200);
    assertThat(content(call(one))).isEqualTo("w0 w1 w2 w3").isEqualTo(content(call(two)));
    assertThat(call(one).raw().headers().firstValue("x-request-id")).isPresent();
    assertThat(caller(one).post(CHAT, chat("nobody", "x")).status()).isEqualTo(404);
    assertThat(manager().post(CHAT, chat("known", "x")).status()).isEqualTo(404);
    assertThat(caller(one).get("/api/v1/functions").status()).isEqualTo(404);
  }

  @Test
  @Order(2)
  void aColdFunctionIsLoadedForWhoeverAsks() {
    manager().deployed("cold", "slow-100");
    await(() -> caller(two).post(CHAT, chat("cold", "words 2")).status() == 200);
    assertThat(manager().loads("cold-00001")).isEqualTo(1);
  }

  @Test
  @Order(3)
  void aKilledControllerCostsNoRequestAndNoRecord() {
    List<Integer> statuses = new ArrayList<>(phase());
    controller.kill();
    statuses.addAll(phase());
    CompletableFuture<Void> restart = CompletableFuture.runAsync(controller::again);
    await(() -> {
      statuses.add(caller(one).post(CHAT, chat("uncounted", "words 4")).status());
      return restart.isDone();
    });
    restart.join();
    statuses.addAll(phase());
    assertThat(statuses).hasSizeGreaterThan(3 * PHASE).containsOnly(200);
    await(() -> recorded() == answered);
  }

  /// Calls both gateways by turns, each as soon as the one before is answered.
  private static List<Integer> phase() {
    return IntStream.range(0, PHASE).mapToObj(i -> call(i % 2 == 0 ? one : two).status()).toList();
  }

  /// How many calls are recorded as answered; one that was not, while a gateway learned of its
  /// function, is recorded too.
  private static int recorded() {
    Reply reply = manager().get("/api/v1/functions/known/invocations?limit=1000");
    int count = 0;
    for (JsonNode invocation : reply.json().path("invocations")) {
      count += invocation.path("status").asInt() == 200 ? 1 : 0;
    }
    return count;
  }

  @Test
  @Order(4)
  void aGatewayStartedWithoutItsControllerServesWhatItKnew() {
    controller.kill();
    one.kill();
    one.again();
    assertThat(call(one).status()).isEqualTo(200);
    assertUnknown(caller(one).post(CHAT, chat("nobody", "x")));
    assertUnknown(caller(one).withKey("weft_" + "0".repeat(43)).get("/v1/models"));
    try (PlatformProcess fresh = gateway("fresh")) {
      assertUnknown(caller(fresh).post(CHAT, chat("known", "words 4")));
      assertThat(caller(fresh).get("/health").status()).isEqualTo(200);
      assertThat(caller(fresh).get("/q/health/ready").status()).isEqualTo(503);
      controller.again();
      await(() -> call(fresh).status() == 200);
      assertThat(caller(fresh).get("/q/health/ready").status()).isEqualTo(200);
      await(() -> caller(fresh).post(CHAT, chat("nobody", "x")).status() == 404);
      await(() -> caller(one).post(CHAT, chat("nobody", "x")).status() == 404);
    }
    await(() -> recorded() == answered);
  }

  private static void assertUnknown(Reply reply) {
    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.error().path("code").asText()).isEqualTo("controller_unreachable");
    assertThat(reply.raw().headers().firstValue("Retry-After")).hasValue("1");
  }

  @Test
  @Order(5)
  void aKeyThatIsNotForGatewaysDoesNotFollow() {
    String secret =
        manager()
            .post("/api/v1/keys", "{\"name\":\"admin only\",\"scopes\":[\"admin\"]}")
            .json()
            .path("secret")
            .asText();
    assertThat(manager().withKey(secret).get("/gateways/v1/state/stream").status()).isEqualTo(403);
    assertThat(manager().withKey(secret).get("/api/v1/functions").status()).isEqualTo(200);
  }
}
