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
import dev.weft.platform.http.Farewell;
import dev.weft.platform.management.FunctionService;
import dev.weft.platform.management.KeyService;
import dev.weft.platform.state.InvocationJournal;
import dev.weft.platform.telemetry.GatewayMetrics;
import dev.weft.platform.telemetry.Traces;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
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

  /// How long a gateway, which ends no runtime, lets its requests run. In a cluster its pod has 60
  /// s, and some have passed when it is told.
  private static final Duration RUNNING_REQUESTS = Duration.ofSeconds(45);

  /// How long nobody must have called for a gateway to be sure that callers have gone elsewhere.
  private static final Duration QUIET = Duration.ofSeconds(3);

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
  private final Farewell farewell;
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
      Farewell farewell,
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
    this.farewell = farewell;
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

  /// The process was told to end. HTTP closes when this returns and what it answers is answered.
  void onFarewell(@Observes ShutdownDelayInitiatedEvent event) {
    drain();
  }

  /// Who could not start comes here alone.
  void onStop(@Observes ShutdownEvent event) {
    drain();
  }

  /// Turns new requests away, lets what runs finish and ends the runtimes. A second call waits for
  /// the first.
  private synchronized void drain() {
    if (drained) {
      return;
    }
    drained = true;
    farewell.begin();
    try {
      if (!config.role().controller() && config.cluster().enabled()) {
        serveLastCalls();
      }
      activator.close();
      controller.stop();
      follower.stop();
      // Before another controller may lead, and read it.
      calls.close();
      operator.stop();
      if (config.role().controller() && !config.cluster().enabled()) {
        runtimes.stop();
      }
      boolean served = config.role().controller() || config.cluster().enabled();
      Instant giveUp = Instant.now().plus(served ? LAST_BYTES : RUNNING_REQUESTS);
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

  /// Other gateways take this one's place, and callers with open connections learn that by its
  /// answers: for as long as they come, they are served.
  private void serveLastCalls() throws InterruptedException {
    Instant giveUp = Instant.now().plus(RUNNING_REQUESTS);
    while ((metrics.activeRequests() > 0 || farewell.quiet().compareTo(QUIET) < 0)
        && Instant.now().isBefore(giveUp)) {
      Thread.sleep(10);
    }
  }
}
