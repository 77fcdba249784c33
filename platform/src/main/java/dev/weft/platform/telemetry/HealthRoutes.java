package dev.weft.platform.telemetry;

import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.FunctionController;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;

/// Liveness and readiness, at the paths where tools of the field look. The platform says DOWN when
/// its control loop has stopped turning, even if it still answers HTTP. A runtime that is away does
/// not count: its requests are held and it is started again. Nor does a gateway's controller that
/// is away: the gateway serves what it knows. A controller that waits to lead is well too.
@Singleton
public final class HealthRoutes {
  /// Longer than one round that waits for a runtime to inspect or unload.
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final Role role;
  private final FunctionController controller;

  public HealthRoutes(WeftConfig config, FunctionController controller) {
    this.role = config.role();
    this.controller = controller;
  }

  void register(@Observes Router router) {
    for (String path :
        new String[] {
          "/health", "/q/health", "/q/health/live", "/q/health/ready", "/q/health/started"
        }) {
      router.get(path).handler(this::answer);
    }
  }

  private void answer(RoutingContext context) {
    boolean turns =
        !role.controller()
            || !controller.started()
            || controller.lastRound().plus(LIMIT).isAfter(Instant.now());
    context
        .response()
        .setStatusCode(turns ? 200 : 503)
        .putHeader("Content-Type", "application/json")
        .end(
            "{\"status\":\"%1$s\",\"checks\":[{\"name\":\"control loop\",\"status\":\"%1$s\"}]}"
                .formatted(turns ? "UP" : "DOWN"));
  }
}
