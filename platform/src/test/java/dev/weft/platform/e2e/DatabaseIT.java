package dev.weft.platform.e2e;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.state.PostgresServer;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformClient.Reply;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/// A controller whose state is in PostgreSQL, and a gateway: what callers see while the database is
/// away, and what another controller finds in it.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class DatabaseIT {
  private static final String CHAT = "/v1/chat/completions";
  private static final String INVOCATIONS = "/api/v1/functions/known/invocations?limit=1000";
  private static final int CALLS = 20;

  @TempDir static Path directory;

  private static PostgresServer postgres;
  private static String url;
  private static int port;
  private static PlatformProcess controller;
  private static PlatformProcess gateway;
  private static int answered;

  @BeforeAll
  static void up() throws IOException {
    postgres = PostgresServer.start();
    url = postgres.create();
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    controller = controller("one");
    manager().warm("known", "quick");
    gateway =
        PlatformProcess.start(
            directory.resolve("gateway"),
            Map.of(
                "role",
                "gateway",
                "http.port",
                "0",
                "controller.url",
                "http://127.0.0.1:" + port,
                "controller.key-file",
                key("one").toString()));
    await(() -> call().status() == 200);
  }

  @AfterAll
  static void down() {
    for (PlatformProcess process : new PlatformProcess[] {gateway, controller}) {
      if (process != null) {
        process.close();
      }
    }
    if (postgres != null) {
      postgres.close();
    }
  }

  private static PlatformProcess controller(String name) {
    PlatformProcess started = PlatformProcess.start(directory.resolve(name), settings(url));
    await(() ->
        manager()
            .get("/api/v1/devices")
            .json()
            .at("/devices/0/status/phase")
            .asText()
            .equals("ready"));
    return started;
  }

  private static Map<String, String> settings(String url) {
    Map<String, String> settings = new HashMap<>();
    settings.put("role", "controller");
    settings.put("http.port", String.valueOf(port));
    settings.put("database.url", url);
    settings.put("database.username", PostgresServer.USER);
    settings.put("database.password-file", postgres.passwordFile().toString());
    return settings;
  }

  private static Path key(String home) {
    return directory.resolve(home).resolve("keys/default");
  }

  private static PlatformClient client(int listens) {
    return new PlatformClient(listens, directory.toString(), Installation.read(key("one")).strip());
  }

  private static PlatformClient manager() {
    return client(port);
  }

  private static Reply call() {
    Reply reply = client(gateway.port()).post(CHAT, chat("known", "words 4"));
    answered += reply.status() == 200 ? 1 : 0;
    return reply;
  }

  private static List<Integer> calls() {
    return IntStream.range(0, CALLS).mapToObj(_ -> call().status()).toList();
  }

  /// The calls that were answered, by their requests; those of before the gateway knew the function
  /// are recorded too.
  private static List<String> recorded() {
    List<String> requests = new ArrayList<>();
    for (JsonNode each : manager().get(INVOCATIONS).json().path("invocations")) {
      if (each.path("status").asInt() == 200) {
        requests.add(each.path("requestId").asText());
      }
    }
    return requests;
  }

  /// What PostgreSQL itself says.
  private static int rows() {
    try (Connection connection = postgres.source(url).getConnection();
        Statement statement = connection.createStatement();
        ResultSet counted =
            statement.executeQuery("SELECT count(*) FROM invocation WHERE status = 200")) {
      counted.next();
      return counted.getInt(1);
    } catch (SQLException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  @Order(1)
  void invocationsAreInPostgres() {
    assertThat(calls()).containsOnly(200);
    await(() -> rows() == answered);
    assertThat(recorded()).hasSize(answered).doesNotHaveDuplicates();
    assertThat(directory.resolve("one/db/weft.mv.db")).doesNotExist();
  }

  @Test
  @Order(2)
  void callsGoOnWhileItIsAwayAndNoneIsForgotten() {
    postgres.stop();
    try {
      assertThat(calls()).containsOnly(200);
      Reply asked = manager().get(INVOCATIONS);
      assertThat(asked.status()).isEqualTo(503);
      assertThat(asked.error().path("code").asText()).isEqualTo("database_unavailable");
      assertThat(asked.error().path("message").asText())
          .startsWith("the database is away: ")
          .contains("127.0.0.1");
      assertThat(manager().deploy("new", "quick", "").status()).as("not promised").isEqualTo(503);
      assertThat(manager().get("/health").status()).isEqualTo(200);
      assertThat(calls()).containsOnly(200);
    } finally {
      postgres.resume();
    }
    await(() -> rows() == answered);
    assertThat(recorded()).hasSize(answered).doesNotHaveDuplicates();
    manager().deployed("new", "quick");
  }

  @Test
  @Order(3)
  void anotherControllerFindsWhatThereWas() throws IOException {
    List<String> before = recorded();
    controller.kill();
    // The same installation on another machine.
    Files.createDirectories(key("two").getParent());
    Files.copy(key("one"), key("two"));
    controller = controller("two");
    assertThat(recorded()).isEqualTo(before);
    assertThat(manager().get("/api/v1/functions/new").status()).isEqualTo(200);
    await(() -> call().status() == 200);
    await(() -> recorded().size() == answered);
  }

  @Test
  @Order(4)
  void anAddressThatCannotBeMeantIsSaidAtTheStart() {
    Map<String, String> settings = settings("mysql://user:secret@db/weft");
    settings.put("http.port", "0");
    assertThat(catchThrowable(() -> PlatformProcess.start(directory.resolve("wrong"), settings)))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("write it as jdbc:postgresql://HOST:PORT/NAME")
        .hasMessageNotContaining("secret@");
  }
}
