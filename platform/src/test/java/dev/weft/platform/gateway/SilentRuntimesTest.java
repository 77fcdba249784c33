package dev.weft.platform.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.control.RuntimeClient;
import dev.weft.platform.gateway.routing.Target;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// A runtime of a device that nobody knows any longer, and a request that it does not answer.
final class SilentRuntimesTest {
  private static final Duration PATIENCE = Duration.ofMillis(50);

  private final Vertx vertx = Vertx.vertx();
  private final HttpClient http = vertx.createHttpClient();
  private final SilentRuntimes silent =
      new SilentRuntimes(new Fleet(), new RuntimeClient(vertx), PATIENCE);
  private volatile boolean alive;
  private HttpServer server;

  @BeforeEach
  void start() throws Exception {
    server =
        vertx
            .createHttpServer()
            .requestHandler(this::answer)
            .listen(0, "127.0.0.1")
            .toCompletionStage()
            .toCompletableFuture()
            .get(10, TimeUnit.SECONDS);
    silent.start();
  }

  @AfterEach
  void stop() {
    silent.stop();
    vertx.close();
  }

  private void answer(HttpServerRequest request) {
    if (alive && "/health".equals(request.path())) {
      request.response().setStatusCode(503).end();
    }
  }

  private CompletableFuture<HttpClientResponse> ask() {
    var address = new RuntimeAddress("127.0.0.1", server.actualPort(), "secret");
    var target =
        new Target(
            RevisionId.parse("f-00001"), new DeviceId("gone"), address, new Why("test", "a test"));
    return http.request(HttpMethod.POST, address.port(), address.host(), "/v1/chat/completions")
        .compose(request -> {
          silent.add(request.connection(), target);
          return request.send();
        })
        .toCompletionStage()
        .toCompletableFuture();
  }

  @Test
  void whoWaitsForARuntimeThatIsSilentIsToldSo() {
    assertThatThrownBy(() -> ask().get(20, TimeUnit.SECONDS)).hasMessageContaining("closed");
  }

  @Test
  void whoWaitsForARuntimeThatDrainsGoesOnWaiting() {
    alive = true;
    CompletableFuture<HttpClientResponse> asked = ask();
    assertThatThrownBy(() -> asked.get(1, TimeUnit.SECONDS)).isInstanceOf(TimeoutException.class);
    alive = false;
    assertThatThrownBy(() -> asked.get(20, TimeUnit.SECONDS)).hasMessageContaining("closed");
    assertThat(asked).isCompletedExceptionally();
  }
}
