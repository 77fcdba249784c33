package dev.weft.platform.following;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Json;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.LoadTracker;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.control.RuntimeClient;
import dev.weft.platform.control.RuntimeFollowers;
import dev.weft.platform.control.RuntimeUnavailableException;
import dev.weft.platform.following.ControllerState.DemandReport;
import dev.weft.platform.following.ControllerState.FollowedRuntime;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.KeyRing;
import dev.weft.platform.keys.Secret;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The gateway's side: follows the controller's state, keeps the last on disk, and says who waits.
/// While the controller is away the gateway serves on what it knows, and what it does not know it
/// does not deny: [FunctionDirectory] and [KeyRing] are not current then.
@Singleton
public final class ControllerFollower {
  private static final Logger LOG = LoggerFactory.getLogger(ControllerFollower.class);
  private static final Duration RECONNECT_PAUSE = Duration.ofMillis(100);
  private static final Duration REPORT_PERIOD = Duration.ofMillis(500);

  private final String gateway = UUID.randomUUID().toString();
  private final WeftHome home;
  private final ControllerAddress controller;
  private final RuntimeClient client;
  private final FunctionDirectory directory;
  private final KeyRing keyRing;
  private final LoadTracker loads;
  private final RuntimeFollowers runtimes;
  private final Demand demand;

  /// Where runtimes are is the cluster's to say.
  private final boolean inCluster;

  private final Semaphore somebodyWaits = new Semaphore(0);
  private final ObjectMapper json = Json.mapper();
  private ControllerState known = ControllerState.NONE;
  private volatile boolean stopped;

  ControllerFollower(
      WeftConfig config,
      ControllerAddress controller,
      RuntimeClient client,
      FunctionDirectory directory,
      KeyRing keyRing,
      LoadTracker loads,
      RuntimeFollowers runtimes,
      Demand demand) {
    this.home = new WeftHome(config.home());
    this.controller = controller;
    this.client = client;
    this.directory = directory;
    this.keyRing = keyRing;
    this.loads = loads;
    this.runtimes = runtimes;
    this.demand = demand;
    this.inCluster = config.cluster().enabled();
  }

  /// Begins with what the last gateway of this home knew.
  public void start() {
    RuntimeAddress address = controller.get();
    current(false);
    remembered().ifPresent(this::learn);
    demand.onHold(somebodyWaits::release);
    Thread.ofVirtual().name("controller-follower").start(() -> follow(address));
    Thread.ofVirtual().name("controller-demand").start(() -> report(address));
  }

  public void stop() {
    stopped = true;
  }

  private void follow(RuntimeAddress address) {
    boolean told = false;
    try {
      while (!stopped) {
        // An absent frame is the stream's end.
        BlockingQueue<Optional<ControllerState>> frames = new LinkedBlockingQueue<>();
        client
            .follow(
                address,
                ControllerState.STREAM,
                ControllerState.class,
                frame -> frames.add(Optional.of(frame)))
            .onComplete(_ -> frames.add(Optional.empty()));
        for (var frame = frames.take(); frame.isPresent(); frame = frames.take()) {
          learn(frame.get());
          remember();
          current(true);
          told = false;
        }
        current(false);
        if (!told) {
          LOG.atWarn()
              .addKeyValue("controller", address)
              .log("the controller cannot be followed; serving what is known");
          told = true;
        }
        Thread.sleep(RECONNECT_PAUSE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void current(boolean now) {
    directory.current(now);
    keyRing.current(now);
  }

  private void learn(ControllerState news) {
    known = known.with(news);
    if (news.keys() != null) {
      Map<Secret.Hash, ApiKey> keys = new HashMap<>();
      news.keys()
          .forEach((hash, key) -> keys.put(new Secret.Hash(HexFormat.of().parseHex(hash)), key));
      keyRing.publish(keys);
    }
    if (news.functions() != null) {
      directory.publish(news.functions());
    }
    if (news.failures() != null) {
      Map<RevisionId, LoadTracker.Failed> failures = new HashMap<>();
      news.failures().forEach(failed -> failures.put(failed.revision(), failed.failed()));
      loads.learn(failures);
    }
    if (news.runtimes() != null) {
      Map<DeviceId, RuntimeAddress> addresses = new HashMap<>();
      news.runtimes().forEach(runtime -> addresses.put(runtime.device(), runtime.address()));
      Set<DeviceId> drained =
          news.runtimes().stream()
              .filter(FollowedRuntime::drained)
              .map(FollowedRuntime::device)
              .collect(Collectors.toSet());
      if (!inCluster) {
        runtimes.follow(addresses);
      }
      runtimes.drained(drained);
    }
  }

  private Optional<ControllerState> remembered() {
    return WeftHome.read(home.controllerFile())
        .flatMap(text -> {
          try {
            return Optional.of(json.readValue(text, ControllerState.class));
          } catch (JsonProcessingException e) {
            LOG.atWarn()
                .addKeyValue("file", home.controllerFile())
                .setCause(e)
                .log("what was known of the controller cannot be read; waiting for it");
            return Optional.empty();
          }
        });
  }

  private void remember() {
    try {
      WeftHome.writePrivately(home.controllerFile(), json.writeValueAsString(known));
    } catch (JsonProcessingException e) {
      throw new AssertionError("the state can be written", e);
    } catch (java.io.UncheckedIOException e) {
      LOG.atError().setCause(e).log("what is known of the controller could not be kept");
    }
  }

  /// Says who waits: at once when somebody begins to, and again and again, since the controller
  /// forgets what is not repeated.
  private void report(RuntimeAddress address) {
    try {
      while (!stopped) {
        somebodyWaits.tryAcquire(REPORT_PERIOD.toMillis(), TimeUnit.MILLISECONDS);
        somebodyWaits.drainPermits();
        Map<String, Integer> held = new HashMap<>();
        demand.heldHere().forEach((function, count) -> held.put(function.value(), count));
        Set<FunctionName> crowded = demand.crowdedHere(Instant.now());
        try {
          client.send(
              address,
              ControllerState.DEMAND,
              new DemandReport(gateway, held, crowded, demand.takeCalled()));
        } catch (RuntimeUnavailableException e) {
          LOG.atDebug().setCause(e).log("the controller was not told who waits");
          Thread.sleep(RECONNECT_PAUSE);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
