package dev.weft.platform;

import dev.weft.platform.cluster.OperatorRole;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.control.KeptCalls;
import dev.weft.platform.control.RuntimeSupervision;
import dev.weft.platform.following.ControllerFollower;
import dev.weft.platform.following.InvocationSpool;
import dev.weft.platform.gateway.activator.Activator;
import dev.weft.platform.management.FunctionService;
import dev.weft.platform.management.KeyService;
import dev.weft.platform.state.InvocationJournal;
import dev.weft.platform.telemetry.GatewayMetrics;
import dev.weft.platform.telemetry.Traces;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;

/// The order in which the parts come up and go down.
@Singleton
public final class PlatformLifecycle {
  /// How long answers may be on their way once the runtimes have ended.
  private static final Duration LAST_BYTES = Duration.ofSeconds(2);

  /// How long a gateway, which ends no runtime, lets its requests run.
  private static final Duration RUNNING_REQUESTS = Duration.ofSeconds(25);

  private final WeftConfig config;
  private final OperatorRole operator;
  private final KeyService keys;
  private final FunctionService functions;
  private final InvocationJournal journal;
  private final FunctionController controller;
  private final RuntimeSupervision runtimes;
  private final ControllerFollower follower;
  private final InvocationSpool spool;
  private final Activator activator;
  private final GatewayMetrics metrics;
  private final Traces traces;
  private final KeptCalls calls;
  private boolean drained;

  public PlatformLifecycle(
      WeftConfig config,
      OperatorRole operator,
      KeyService keys,
      FunctionService functions,
      InvocationJournal journal,
      FunctionController controller,
      RuntimeSupervision runtimes,
      ControllerFollower follower,
      InvocationSpool spool,
      Activator activator,
      GatewayMetrics metrics,
      Traces traces,
      KeptCalls calls) {
    this.config = config;
    this.operator = operator;
    this.keys = keys;
    this.functions = functions;
    this.journal = journal;
    this.controller = controller;
    this.runtimes = runtimes;
    this.follower = follower;
    this.spool = spool;
    this.activator = activator;
    this.metrics = metrics;
    this.traces = traces;
    this.calls = calls;
  }

  /// HTTP is not yet open.
  void onStart(@Observes StartupEvent event) {
    new WeftHome(config.home()).prepare();
    if (!config.role().controller()) {
      follower.start();
      spool.open();
      operator.findRuntimes();
      return;
    }
    if (config.cluster().enabled()) {
      operator.startWhenLeading(this::control);
      return;
    }
    control();
    runtimes.start();
  }

  private void control() {
    keys.open();
    functions.open();
    journal.open();
    calls.open();
    controller.start();
  }

  void onStop(@Observes ShutdownEvent event) {
    drain();
  }

  /// Turns new requests away, lets what runs finish and ends the runtimes. HTTP must still be open,
  /// so the process calls this before it begins to stop. A second call waits for the first.
  synchronized void drain() {
    if (drained) {
      return;
    }
    drained = true;
    activator.close();
    controller.stop();
    follower.stop();
    // Before another controller may lead, and read it.
    calls.close();
    operator.stop();
    try {
      if (config.role().controller() && !config.cluster().enabled()) {
        runtimes.stop();
      }
      Instant giveUp =
          Instant.now().plus(config.role().controller() ? LAST_BYTES : RUNNING_REQUESTS);
      while (metrics.activeRequests() > 0 && Instant.now().isBefore(giveUp)) {
        Thread.sleep(10);
      }
      spool.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    journal.close();
    traces.close();
    try {
      Files.deleteIfExists(new WeftHome(config.home()).platformFile());
    } catch (IOException e) {
      throw new UncheckedIOException("run/platform.json cannot be deleted", e);
    }
  }
}
