package dev.weft.platform.control;

import dev.weft.functions.Function;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi.Inspection;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.PrewarmRequest;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.Tier;
import dev.weft.functions.instance.Why;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.RuntimeClient.Outcome;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The control loop: observe, decide, apply. It runs when something changes and at least once a
/// period, in one virtual thread; [ControlRound] decides, and this applies.
@Singleton
public final class FunctionController {
  private static final Logger LOG = LoggerFactory.getLogger(FunctionController.class);

  /// What was displaced may keep its memory for some seconds, until who goes on with its streams
  /// has fetched their keys and values.
  private static final Duration DISPLACED_FOR = Duration.ofSeconds(15);

  private final FunctionDirectory directory;
  private final Fleet fleet;
  private final Demand demand;
  private final LoadTracker loads;
  private final Decisions decisions;
  private final RuntimeClient client;
  private final WeftConfig.Control config;
  private final Counter loadCount;
  private final Counter unloadCount;
  private final Semaphore wake = new Semaphore(0);
  private final Set<RevisionId> wanted = ConcurrentHashMap.newKeySet();
  private final Map<Leaving, Instant> leaving = new HashMap<>();
  private final Map<DeviceId, Set<RevisionId>> served = new HashMap<>();

  /// For which revisions busy instances were displaced, and when.
  private final Map<RevisionId, Instant> displaced = new HashMap<>();

  private volatile @Nullable Thread loop;
  private volatile boolean stopped;
  private volatile Instant lastRound = Instant.now();

  public FunctionController(
      FunctionDirectory directory,
      Fleet fleet,
      Demand demand,
      LoadTracker loads,
      Decisions decisions,
      RuntimeClient client,
      WeftConfig config,
      MeterRegistry metrics) {
    this.directory = directory;
    this.fleet = fleet;
    this.demand = demand;
    this.loads = loads;
    this.decisions = decisions;
    this.client = client;
    this.config = config.control();
    this.loadCount =
        Counter.builder("weft.gateway.loads")
            .description("Loads that runtimes were asked for")
            .register(metrics);
    this.unloadCount =
        Counter.builder("weft.gateway.unloads")
            .description("Unloads that runtimes were asked for")
            .register(metrics);
  }

  public void start() {
    lastRound = Instant.now();
    fleet.onChange(wake::release);
    demand.onHold(wake::release);
    directory.onChange(_ -> wake.release());
    loop = Thread.ofVirtual().name("control-loop").start(this::run);
  }

  public void stop() {
    stopped = true;
    Thread running = loop;
    if (running != null) {
      running.interrupt();
    }
  }

  /// Whether the platform is on its way down.
  public boolean stopped() {
    return stopped;
  }

  /// What each device that could take the function says it would need there.
  public List<Inspection> inspect(Function function) {
    List<Inspection> inspections = new ArrayList<>();
    for (Fleet.Device device : fleet.snapshot().sorted()) {
      DeviceStatus status = device.status();
      RuntimeAddress address = device.address();
      if (device.serving()
          && status != null
          && address != null
          && function.spec().devices().contains(status.deviceClass())) {
        switch (client.inspect(address, function, config.inspectTimeout())) {
          case Outcome.Done<Inspection>(var inspection) -> inspections.add(inspection);
          case Outcome.Refused<Inspection>(var rejection) ->
              throw new RuntimeUnavailableException(
                  "device %s refuses to inspect: %s".formatted(device.id(), rejection.message()));
        }
      }
    }
    return inspections;
  }

  /// Brings a revision towards `tier`; [Tier#READY] is a load.
  public void prewarm(Revision revision, Tier tier) {
    loads.forgive(revision.id());
    if (tier == Tier.READY) {
      wanted.add(revision.id());
      wake.release();
      return;
    }
    for (Fleet.Device device : fleet.snapshot().sorted()) {
      RuntimeAddress address = device.address();
      if (device.serving()
          && address != null
          && client.prewarm(address, new PrewarmRequest(revision, tier))
              instanceof Outcome.Refused<InstanceStatus>(var rejection)) {
        throw new RuntimeUnavailableException(
            "device %s refuses to prewarm: %s".formatted(device.id(), rejection.message()));
      }
    }
  }

  /// Has a device take nothing new and let go of what it has, or ends that. What it serves is
  /// loaded elsewhere where it can be. Returns whether there is such a device.
  public boolean drain(DeviceId device, boolean wanted) {
    boolean known = fleet.drain(device, wanted);
    if (known) {
      LOG.atInfo()
          .addKeyValue("device", device)
          .log(wanted ? "the device is drained" : "the device takes work again");
    }
    return known;
  }

  /// Forgets that a revision failed to load, and looks again.
  public void forgive(Revision revision) {
    loads.forgive(revision.id());
    wake.release();
  }

  /// Whether the loop was begun: a controller that does not lead waits for its turn.
  public boolean started() {
    return loop != null;
  }

  /// When the loop last began a round.
  public Instant lastRound() {
    return lastRound;
  }

  private void run() {
    while (!stopped) {
      try {
        wake.tryAcquire(config.period().toMillis(), TimeUnit.MILLISECONDS);
        wake.drainPermits();
        lastRound = Instant.now();
        round(lastRound);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      } catch (RuntimeException e) {
        // The outermost loop: one bad round must not end the control of all functions.
        LOG.atError().setCause(e).log("a round of the control loop failed");
      }
    }
  }

  private void round(Instant now) {
    Fleet.Snapshot seen = fleet.snapshot();
    FunctionDirectory.Snapshot functions = directory.snapshot();
    loads.observe(seen, now);
    rememberServed(seen);
    demand.keep(functions.functions().keySet());
    dropGrantedWishes(functions, seen, now);
    displaced.values().removeIf(at -> now.isAfter(at.plus(DISPLACED_FOR)));
    List<ControlRound.Act> acts =
        new ControlRound(
                functions,
                seen,
                new CurrentWishes(
                    demand, loads, wanted, displaced.keySet(), config.exclusive(), now),
                config.exclusive(),
                now)
            .decide();
    leaving.keySet().retainAll(leaving(acts));
    for (ControlRound.Act act : acts) {
      switch (act) {
        case ControlRound.Act.Load load -> apply(load, seen, now);
        case ControlRound.Act.Swap swap -> apply(swap, seen, now);
        case ControlRound.Act.Pin pin -> apply(pin, seen);
        case ControlRound.Act.Unload unload -> apply(unload, seen, now);
      }
    }
  }

  /// An instance that has been asked to go.
  private record Leaving(RevisionId revision, DeviceId device) {}

  private static Set<Leaving> leaving(List<ControlRound.Act> acts) {
    return acts.stream()
        .filter(ControlRound.Act.Unload.class::isInstance)
        .map(ControlRound.Act.Unload.class::cast)
        .map(unload -> new Leaving(unload.revision(), unload.device()))
        .collect(Collectors.toSet());
  }

  /// Notes what serves, and wishes back what a device served when its runtime went away.
  private void rememberServed(Fleet.Snapshot seen) {
    for (Fleet.Device device : seen.devices().values()) {
      DeviceStatus status = device.status();
      if (device.reachable() && status != null) {
        Set<RevisionId> ready = ConcurrentHashMap.newKeySet();
        status.instances().stream()
            .filter(instance -> instance.tier() == Tier.READY)
            .forEach(instance -> ready.add(instance.revision()));
        served.put(device.id(), ready);
      } else {
        Set<RevisionId> lost = served.remove(device.id());
        if (lost != null) {
          wanted.addAll(lost);
        }
      }
    }
  }

  private void dropGrantedWishes(
      FunctionDirectory.Snapshot functions, Fleet.Snapshot seen, Instant now) {
    wanted.removeIf(revision ->
        functions
                .find(revision.function())
                .filter(function -> function.active().id().equals(revision))
                .isEmpty()
            || loads.failure(revision).map(failed -> failed.blocks(now)).orElse(false)
            || seen.instancesOf(revision).stream()
                .anyMatch(placed -> placed.instance().tier() == Tier.READY));
  }

  private void apply(ControlRound.Act.Load load, Fleet.Snapshot seen, Instant now) {
    RevisionId revision = load.revision().id();
    Fleet.Device device = seen.find(load.device()).orElseThrow();
    DeviceStatus status = device.status();
    RuntimeAddress address = device.address();
    if (status == null || address == null) {
      return;
    }
    loads.begin(revision, status, others(load, seen), now);
    try {
      switch (client.load(address, new LoadRequest(load.revision(), load.pinned(), load.base()))) {
        case Outcome.Done<InstanceStatus> _ -> {
          loadCount.increment();
          decisions.instance(
              revision.function(), Decisions.Kind.LOADING, load.device(), load.why());
          LOG.atInfo()
              .addKeyValue("revision", revision)
              .addKeyValue("device", load.device())
              .addKeyValue("reason", load.why().text())
              .log("loading");
        }
        case Outcome.Refused<InstanceStatus>(var rejection) -> {
          LOG.atInfo()
              .addKeyValue("revision", revision)
              .addKeyValue("device", load.device())
              .addKeyValue("reason", rejection.message())
              .log("a load was refused");
          Failure failure = failure(rejection);
          decisions.instance(
              revision.function(),
              Decisions.Kind.LOAD_REFUSED,
              load.device(),
              new Why(failure.code(), failure.message()));
          loads.fail(revision, failure, now);
        }
      }
    } catch (RuntimeUnavailableException e) {
      loads.abandon(revision);
      LOG.atWarn()
          .addKeyValue("revision", revision)
          .setCause(e)
          .log("a load could not be asked for");
    }
  }

  /// Of which the same load could be asked, now or later; an adapter goes where its base is.
  private static Set<DeviceId> others(ControlRound.Act.Load load, Fleet.Snapshot seen) {
    return seen.statuses().stream()
        .filter(status -> load.base() == null && !status.device().equals(load.device()))
        .filter(status -> load.revision().spec().devices().contains(status.deviceClass()))
        .map(DeviceStatus::device)
        .collect(Collectors.toSet());
  }

  /// Of those that idled, whoever became busy meanwhile keeps the device, and the next round looks
  /// for another.
  private void apply(ControlRound.Act.Swap swap, Fleet.Snapshot seen, Instant now) {
    RevisionId revision = swap.load().revision().id();
    RuntimeAddress address = seen.find(swap.load().device()).orElseThrow().address();
    if (address == null) {
      return;
    }
    if (swap.busy()) {
      displaced.put(revision, now);
    }
    Why why =
        swap.busy()
            ? new Why(
                "displaced",
                "%s needs the room, and counts for more or is nowhere else".formatted(revision))
            : new Why("swapped", "it idles, and %s has no device".formatted(revision));
    for (RevisionId leaves : swap.leave()) {
      var request = new UnloadRequest(leaves, swap.busy());
      if (!unload(address, request, swap.load().device(), why)) {
        return;
      }
    }
    apply(swap.load(), seen, now);
  }

  private static Failure failure(Rejection rejection) {
    boolean permanent =
        switch (rejection.code()) {
          case NEVER_FITS, UNSUPPORTED -> true;
          case BUSY, PINNED, NO_MEMORY_NOW, DRAINING, UNKNOWN_INSTANCE -> false;
        };
    return new Failure(
        rejection.code().name().toLowerCase(Locale.ROOT), rejection.message(), permanent);
  }

  private void apply(ControlRound.Act.Pin pin, Fleet.Snapshot seen) {
    RuntimeAddress address = seen.find(pin.device()).orElseThrow().address();
    if (address == null) {
      return;
    }
    try {
      client.load(address, new LoadRequest(pin.revision(), pin.pinned(), pin.base()));
    } catch (RuntimeUnavailableException e) {
      LOG.atWarn()
          .addKeyValue("revision", pin.revision().id())
          .setCause(e)
          .log("an instance could not be pinned or unpinned");
    }
  }

  private void apply(ControlRound.Act.Unload unload, Fleet.Snapshot seen, Instant now) {
    RuntimeAddress address = seen.find(unload.device()).orElseThrow().address();
    if (address == null) {
      return;
    }
    RevisionId revision = unload.revision();
    Leaving instance = new Leaving(revision, unload.device());
    Instant since = leaving.computeIfAbsent(instance, _ -> now);
    boolean busy =
        seen.instancesOf(revision).stream()
            .filter(placed -> placed.device().id().equals(unload.device()))
            .anyMatch(placed -> placed.instance().busy());
    boolean force = unload.must() && (!busy || now.isAfter(since.plus(config.leaveGrace())));
    var request = new UnloadRequest(revision, force);
    if (unload(address, request, unload.device(), unload.why())) {
      leaving.remove(instance);
    }
  }

  /// Returns whether the instance has gone.
  private boolean unload(RuntimeAddress address, UnloadRequest request, DeviceId device, Why why) {
    RevisionId revision = request.revision();
    try {
      switch (client.unload(address, request)) {
        case Outcome.Done<InstanceStatus> _ -> {
          unloadCount.increment();
          decisions.instance(revision.function(), Decisions.Kind.UNLOADED, device, why);
          LOG.atInfo()
              .addKeyValue("revision", revision)
              .addKeyValue("device", device)
              .addKeyValue("reason", why.text())
              .log("unloaded");
          return true;
        }
        case Outcome.Refused<InstanceStatus>(var rejection) ->
            LOG.atDebug()
                .addKeyValue("revision", revision)
                .addKeyValue("reason", rejection.message())
                .log("an unload was refused");
      }
    } catch (RuntimeUnavailableException e) {
      LOG.atWarn()
          .addKeyValue("revision", revision)
          .setCause(e)
          .log("an unload could not be asked for");
    }
    return false;
  }
}
