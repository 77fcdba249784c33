package dev.weft.bench.live;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.weft.autoscaler.simulation.Served;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.bench.load.Endpoint;
import dev.weft.functions.FunctionName;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Calls to a server that answers, fails or says nothing, by the path that is asked for.
class ReplayTest {
  private static final FunctionName F = new FunctionName("f");
  private static final String ANSWER =
      """
      data: {"choices":[{"text":"a"}]}

      data: {"choices":[{"text":"b"}]}

      data: {"choices":[],"usage":{"completion_tokens":2}}

      data: [DONE]

      """;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final CountDownLatch ended = new CountDownLatch(1);
  private HttpServer server;

  @BeforeEach
  void serve() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/answers", exchange -> answer(exchange, 200));
    server.createContext("/fails", exchange -> answer(exchange, 503));
    server.createContext("/silent", this::sayNothing);
    server.start();
  }

  private static void answer(HttpExchange exchange, int status) throws IOException {
    var _ = exchange.getRequestBody().readAllBytes();
    exchange.sendResponseHeaders(status, 0);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(ANSWER.getBytes(UTF_8));
    }
  }

  private void sayNothing(HttpExchange exchange) throws IOException {
    var _ = exchange.getRequestBody().readAllBytes();
    exchange.sendResponseHeaders(200, 0);
    exchange.getResponseBody().flush();
    try {
      ended.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @AfterEach
  void stop() {
    ended.countDown();
    server.stop(0);
    threads.shutdownNow();
  }

  private List<Replay.Outcome> run(List<String> paths, int answerTokens)
      throws InterruptedException {
    Endpoint endpoint = new Endpoint(server.getAddress().getPort(), Map.of());
    List<Replay.Message> messages = new ArrayList<>();
    for (int i = 0; i < paths.size(); i++) {
      Trace.Call call = new Trace.Call(1_000_000L * i, 0, 1, answerTokens);
      messages.add(new Replay.Message(F, call, endpoint.request(paths.get(i), "{}")));
    }
    return new Replay(endpoint, new LoadWatch()).run(messages);
  }

  @Test
  void answersCountFromWhenTheyWereDue() throws Exception {
    List<Replay.Outcome> outcomes = run(List.of("/answers", "/answers"), 2);

    assertThat(outcomes)
        .allSatisfy(outcome -> {
          assertThat(outcome.error()).isNull();
          assertThat(outcome.hungUp()).isFalse();
          Served served = outcome.served();
          assertThat(served.firstAt()).isGreaterThan(served.arrivedAt());
          assertThat(served.finishedAt()).isGreaterThanOrEqualTo(served.firstAt());
          assertThat(served.excusedNanos()).isZero();
        });
    assertThat(outcomes.get(1).served().arrivedAt()).isEqualTo(1_000_000);
  }

  @Test
  void whoHasNoTokenWhenItIsDueHangsUpAndIsNotMet() throws Exception {
    Replay.Outcome outcome = run(List.of("/silent"), 2).getFirst();

    assertThat(outcome.hungUp()).isTrue();
    assertThat(outcome.error()).isNull();
    assertThat(outcome.served().firstAt()).isEqualTo(Served.NEVER);
    assertThat(outcome.met(true)).isFalse();
  }

  @Test
  void aFailureIsNeverMet() throws Exception {
    List<Replay.Outcome> outcomes = run(List.of("/fails"), 2);
    assertThat(outcomes.getFirst().error()).contains("503");
    assertThat(outcomes.getFirst().met(true)).isFalse();

    Replay.Outcome shorter = run(List.of("/answers"), 3).getFirst();
    assertThat(shorter.error()).contains("2 tokens instead of 3");
    assertThat(shorter.met(true)).isFalse();
    Figures figures = Figures.live(new Replays.Watched(outcomes, 0, new ProcessorTime(0, 0, 0, 0)));
    assertThat(figures.failed()).isEqualTo(1);
    assertThat(figures.met()).isZero();
  }
}
