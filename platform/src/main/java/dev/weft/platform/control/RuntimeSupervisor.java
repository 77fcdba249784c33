package dev.weft.platform.control;

import dev.weft.autoscaler.scaling.RestartBackoff;
import dev.weft.autoscaler.scaling.RestartBackoff.Restart;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.platform.config.WeftConfig;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Keeps one device's runtime process alive: adopts it or starts it, follows its status, ends it
/// when it hangs, and starts it again when it ended. Runs in a virtual thread of its own.
final class RuntimeSupervisor {
  private static final Logger LOG = LoggerFactory.getLogger(RuntimeSupervisor.class);
  private static final Duration WATCH_PERIOD = Duration.ofMillis(500);
  private static final Duration HEALTH_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration RECONNECT_PAUSE = Duration.ofMillis(100);

  private final DeviceId device;
  private final RuntimeLauncher launcher;
  private final RuntimeClient client;
  private final Fleet fleet;
  private final WeftConfig.RuntimeProcess config;
  private final RestartBackoff backoff;
  private final Counter restarts;
  private volatile boolean stopping;
  private volatile @Nullable RunningRuntime current;
  private @Nullable Thread thread;
  private @Nullable String lastFailure;

  RuntimeSupervisor(
      DeviceId device,
      RuntimeLauncher launcher,
      RuntimeClient client,
      Fleet fleet,
      WeftConfig config,
      MeterRegistry metrics) {
    this.device = device;
    this.launcher = launcher;
    this.client = client;
    this.fleet = fleet;
    this.config = config.runtime();
    this.backoff =
        new RestartBackoff(
            RestartBackoff.DEFAULT.first(),
            RestartBackoff.DEFAULT.cap(),
            config.runtime().stableAfter());
    this.restarts =
        Counter.builder("weft.runtime.restarts")
            .description("Runtime processes started again after they ended or hung")
            .tag("device", device.value())
            .register(metrics);
  }

  void start() {
    fleet.away(device, Fleet.STARTING);
    thread = Thread.ofVirtual().name("supervisor-" + device).start(this::run);
  }

  /// Drains the runtime and waits for its end; one that takes too long is ended.
  void stop() throws InterruptedException {
    stopping = true;
    Thread running = thread;
    if (running != null) {
      running.interrupt();
      running.join(Duration.ofSeconds(15));
    }
    RunningRuntime runtime = current;
    if (runtime == null) {
      return;
    }
    try {
      client.drain(runtime.address());
      runtime.awaitExit(config.drainTimeout());
    } catch (RuntimeUnavailableException e) {
      LOG.atWarn()
          .addKeyValue("device", device)
          .setCause(e)
          .log("the runtime could not be drained");
    }
    runtime.end(Duration.ofSeconds(2));
  }

  private void run() {
    int failures = 0;
    try {
      current = launcher.adopt(device).orElse(null);
      while (!stopping) {
        Instant since = Instant.now();
        RunningRuntime runtime = current == null ? startOrNull() : current;
        current = runtime;
        if (runtime != null) {
          replaceAfter(runtime, watch(runtime));
        }
        Instant now = Instant.now();
        Restart restart = backoff.afterExit(failures, since, now);
        failures = restart.failures();
        restarts.increment();
        LOG.atDebug().addKeyValue("device", device).log(restart.reason());
        Thread.sleep(Duration.between(now, restart.at()));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void replaceAfter(RunningRuntime runtime, String reason) throws InterruptedException {
    LOG.atWarn()
        .addKeyValue("device", device)
        .addKeyValue("pid", runtime.process().pid())
        .addKeyValue("reason", reason)
        .log("the runtime is to be started again");
    current = null;
    fleet.away(device, reason);
    runtime.end(Duration.ZERO);
  }

  private @Nullable RunningRuntime startOrNull() throws InterruptedException {
    try {
      return launcher.start(device);
    } catch (RuntimeUnavailableException e) {
      String reason = String.valueOf(e.getMessage());
      if (!reason.equals(lastFailure)) {
        LOG.atError().addKeyValue("device", device).log(reason);
      }
      lastFailure = reason;
      fleet.away(device, reason);
      return null;
    }
  }

  /// Follows the runtime until it ended or has to be ended; returns why.
  private String watch(RunningRuntime runtime) throws InterruptedException {
    Instant healthyAt = Instant.now();
    AtomicBoolean following = new AtomicBoolean();
    while (true) {
      if (following.compareAndSet(false, true)) {
        client
            .follow(runtime.address(), status -> publish(runtime, status))
            .onComplete(_ -> following.set(false));
      }
      if (runtime.awaitExit(following.get() ? WATCH_PERIOD : RECONNECT_PAUSE)) {
        return launcher.end(runtime);
      }
      if (client.healthy(runtime.address(), HEALTH_TIMEOUT)) {
        healthyAt = Instant.now();
        clearSuspicion(runtime);
      } else if (Instant.now().isAfter(healthyAt.plus(config.hungAfter()))) {
        return "the runtime was not healthy for " + config.hungAfter();
      }
    }
  }

  /// A healthy runtime that a request could not reach is taken back with its present status.
  private void clearSuspicion(RunningRuntime runtime) {
    boolean away = fleet.snapshot().find(device).map(known -> known.address() == null).orElse(true);
    if (away) {
      try {
        publish(runtime, client.status(runtime.address(), HEALTH_TIMEOUT));
      } catch (RuntimeUnavailableException e) {
        LOG.atDebug().addKeyValue("device", device).setCause(e).log("no status yet");
      }
    }
  }

  /// Takes a status, unless it is a late one of a process that is being replaced.
  private void publish(RunningRuntime runtime, DeviceStatus status) {
    if (runtime.equals(current)) {
      fleet.update(status, runtime.address());
    }
  }
}
