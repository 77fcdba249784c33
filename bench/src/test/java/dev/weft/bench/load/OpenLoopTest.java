package dev.weft.bench.load;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OpenLoopTest {
  private final AtomicInteger requests = new AtomicInteger();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private HttpServer server;
  private int status = 200;
  private boolean chunked;
  private long pauseMillis;

  @BeforeEach
  void serve() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext(
        "/v1/chat/completions",
        exchange -> {
          byte[] asked = exchange.getRequestBody().readAllBytes();
          if (requests.incrementAndGet() == 1 && pauseMillis > 0) {
            pause();
          }
          byte[] answer = ("one\ntwo " + new String(asked, UTF_8)).getBytes(UTF_8);
          exchange.sendResponseHeaders(status, chunked ? 0 : answer.length);
          try (OutputStream out = exchange.getResponseBody()) {
            out.write(answer, 0, 2);
            out.flush();
            out.write(answer, 2, answer.length - 2);
          }
        });
    server.start();
  }

  private void pause() {
    long end = System.nanoTime() + pauseMillis * 1_000_000;
    while (System.nanoTime() < end) {
      Thread.onSpinWait();
    }
  }

  @AfterEach
  void stop() {
    server.stop(0);
    threads.shutdownNow();
  }

  private OpenLoop.Times run(Schedule schedule, int connections, Queue<String> lines)
      throws IOException, InterruptedException {
    Endpoint endpoint = new Endpoint(server.getAddress().getPort(), Map.of("X-Some", "thing"));
    return OpenLoop.run(
        endpoint.port(),
        endpoint.request("body"),
        schedule,
        connections,
        (line, _) -> lines.add(line));
  }

  @Test
  void sendsEveryRequestOnceAndReadsWholeAndChunkedAnswers() throws Exception {
    for (boolean way : List.of(false, true)) {
      chunked = way;
      requests.set(0);
      Queue<String> lines = new ConcurrentLinkedQueue<>();
      OpenLoop.Times times = run(new Schedule(1_000, 20), 3, lines);
      assertThat(requests).hasValue(20);
      assertThat(times.latency()).hasSize(20).isSorted();
      assertThat(times.lateness()).hasSize(20).isSorted();
      assertThat(lines).hasSize(40).containsOnly("one", "two body");
    }
  }

  /// With one connection, ten requests are due while the first is not answered: each counts what is
  /// left of the stall from when it was due.
  @Test
  void aStallIsChargedToAllThatWereDueMeanwhile() throws Exception {
    pauseMillis = 100;
    OpenLoop.Times times = run(new Schedule(100, 10), 1, new ConcurrentLinkedQueue<>());
    for (int i = 0; i < 10; i++) {
      assertThat(times.latency()[i]).isGreaterThanOrEqualTo(10.0 * (i + 1) - 0.001);
    }
  }

  @Test
  void aRefusedRequestFailsTheRun() {
    status = 503;
    assertThatThrownBy(() -> run(new Schedule(1_000, 2), 1, new ConcurrentLinkedQueue<>()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("503");
  }
}
