package dev.weft.platform.telemetry;

import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.RuntimeFollowers;
import dev.weft.platform.http.Farewell;
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
///
/// A gateway that has just started is not ready: until it has heard from its controller once, and
/// in a cluster has looked for runtimes, it would turn everybody away. Who has been told to end is
/// ready no longer.
@Singleton
public final class HealthRoutes {
  /// Longer than one round that waits for a runtime to inspect or unload.
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final Role role;
  private final boolean inCluster;
  private final FunctionController controller;
  private final FunctionDirectory directory;
  private final RuntimeFollowers runtimes;
  private final Farewell farewell;

  public HealthRoutes(
      WeftConfig config,
      FunctionController controller,
      FunctionDirectory directory,
      RuntimeFollowers runtimes,
      Farewell farewell) {
    this.role = config.role();
    this.inCluster = config.cluster().enabled();
    this.controller = controller;
    this.directory = directory;
    this.runtimes = runtimes;
    this.farewell = farewell;
  }

  void register(@Observes Router router) {
    for (String path :
        new String[] {"/health", "/q/health", "/q/health/live", "/q/health/started"}) {
      router.get(path).handler(context -> answer(context, "control loop", turns()));
    }
    router
        .get("/q/health/ready")
        .handler(context ->
            answer(context, "what is deployed is known", turns() && knows() && !farewell.begun()));
  }

  private boolean turns() {
    return !role.controller()
        || !controller.started()
        || controller.lastRound().plus(LIMIT).isAfter(Instant.now());
  }

  private boolean knows() {
    return role.controller()
        || (directory.snapshot().version() > 0 && (!inCluster || runtimes.told()));
  }

  private static void answer(RoutingContext context, String check, boolean well) {
    context
        .response()
        .setStatusCode(well ? 200 : 503)
        .putHeader("Content-Type", "application/json")
        .end(
            "{\"status\":\"%1$s\",\"checks\":[{\"name\":\"%2$s\",\"status\":\"%1$s\"}]}"
                .formatted(well ? "UP" : "DOWN", check));
  }
}
