package dev.weft.platform.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/// What `helm test` finds, and misses.
@QuarkusTest
class GatewayProbeTest extends PlatformTest {
  private static final Duration AT_ONCE = Duration.ZERO;

  @Test
  void aGatewayThatKnowsTheKeyIsWell() throws InterruptedException {
    assertThat(new GatewayProbe(client().base(), client().key()).problem(AT_ONCE)).isEmpty();
  }

  @Test
  void anotherKeyIsNotTheInstallations() throws InterruptedException {
    assertThat(new GatewayProbe(client().base(), "weft_" + "0".repeat(43)).problem(AT_ONCE))
        .hasValueSatisfying(problem ->
            assertThat(problem).contains("/v1/models answers 401 with the key, not 200"));
  }

  /// Who answers everybody is no gateway of Weft's, or one that has lost its locks.
  @Test
  void whoAnswersWithoutAKeyIsNotWell() throws IOException, InterruptedException {
    HttpServer open =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    open.createContext(
        "/",
        exchange -> {
          exchange.sendResponseHeaders(200, -1);
          exchange.close();
        });
    open.start();
    try {
      URI there = URI.create("http://127.0.0.1:" + open.getAddress().getPort());
      assertThat(new GatewayProbe(there, client().key()).problem(AT_ONCE))
          .hasValueSatisfying(
              problem -> assertThat(problem).contains("answers 200 without a key, not 401"));
    } finally {
      open.stop(0);
    }
  }

  @Test
  void nobodyIsNotWell() throws InterruptedException {
    assertThat(new GatewayProbe(URI.create("http://127.0.0.1:1"), "key").problem(AT_ONCE))
        .hasValueSatisfying(
            problem -> assertThat(problem).startsWith("http://127.0.0.1:1 does not answer: "));
  }
}
