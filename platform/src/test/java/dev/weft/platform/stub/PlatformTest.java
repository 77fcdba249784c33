package dev.weft.platform.stub;

import dev.weft.platform.config.WeftConfig;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.vertx.http.HttpServer;
import jakarta.inject.Inject;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;

/// What tests of the whole platform share: it runs, with [StubRuntime] ready.
@QuarkusTestResource(StubHome.class)
public abstract class PlatformTest {
  @Inject HttpServer server;

  @Inject WeftConfig config;

  private PlatformClient client;

  @BeforeEach
  void connect() {
    client = new PlatformClient(server.getPort(), config.home().toString());
    awaitRuntime();
  }

  protected final PlatformClient client() {
    return client;
  }

  protected final Path home() {
    return config.home();
  }

  protected final void awaitRuntime() {
    PlatformClient.await(() ->
        client
            .get("/api/v1/devices")
            .json()
            .at("/devices/0/status/phase")
            .asText()
            .equals("ready"));
  }
}
