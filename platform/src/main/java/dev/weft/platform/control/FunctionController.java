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
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The control loop: observe, decide, apply. It runs when something changes and at least once a
/// period, in one virtual thread; [ControlRound] decides, and this applies.
@Singleton
public final class FunctionController {
  private static final Logger LOG = LoggerFactory.getLogger(FunctionController.class);

  /// How long a deleted function's running requests may take before they are ended.
  private static final Duration DELETE_GRACE = Duration.ofSeconds(30);

  private final FunctionDirectory directory;
  private final Fleet fleet;
  private final Demand demand;
  private final LoadTracker loads;
  private final RuntimeClient client;
  private final WeftConfig.Control config;
  private final Counter loadCount;
  private final Counter unloadCount;
  private final Semaphore wake = new Semaphore(0);
  private final Set<RevisionId> wanted = ConcurrentHashMap.newKeySet();
  private final Map<RevisionId, Instant> leaving = new HashMap<>();
  private final Map<DeviceId, Set<RevisionId>> served = new HashMap<>();
  private @Nullable Thread loop;
  private volatile boolean stopped;
  private volatile Instant lastRound = Instant.now();

  public FunctionController(
      FunctionDirectory directory,
      Fleet fleet,
      Demand demand,
      LoadTracker loads,
      RuntimeClient client,
      WeftConfig config,
      MeterRegistry metrics) {
    this.directory = directory;
    this.fleet = fleet;
    this.demand = demand;
    this.loads = loads;
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

  /// Forgets that a revision failed to load, and looks again.
  public void forgive(Revision revision) {
    loads.forgive(revision.id());
    wake.release();
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
    dropGrantedWishes(functions, seen, now);
    Wishes wishes = new Wishes(now);
    for (ControlRound.Act act : new ControlRound(functions, seen, wishes, now).decide()) {
      switch (act) {
        case ControlRound.Act.Load load -> apply(load, functions, wishes, now);
        case ControlRound.Act.Unload unload -> apply(unload, now);
      }
    }
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

  private void apply(
      ControlRound.Act.Load load,
      FunctionDirectory.Snapshot functions,
      Wishes wishes,
      Instant now) {
    RevisionId revision = load.revision().id();
    DeviceStatus status = load.device().status();
    RuntimeAddress address = load.device().address();
    if (status == null || address == null) {
      return;
    }
    loads.begin(revision, status, now);
    try {
      switch (client.load(address, new LoadRequest(load.revision(), load.pinned()))) {
        case Outcome.Done<InstanceStatus> _ -> {
          loadCount.increment();
          LOG.atInfo()
              .addKeyValue("revision", revision)
              .addKeyValue("device", load.device().id())
              .addKeyValue("reason", load.reason())
              .log("loading");
        }
        case Outcome.Refused<InstanceStatus>(var rejection) ->
            refused(load, status, rejection, new Room(functions, wishes), now);
      }
    } catch (RuntimeUnavailableException e) {
      loads.abandon(revision);
      LOG.atWarn()
          .addKeyValue("revision", revision)
          .setCause(e)
          .log("a load could not be asked for");
    }
  }

  /// What is needed to make room.
  private record Room(FunctionDirectory.Snapshot functions, Wishes wishes) {}

  private void refused(
      ControlRound.Act.Load load,
      DeviceStatus status,
      Rejection rejection,
      Room room,
      Instant now) {
    RevisionId revision = load.revision().id();
    LOG.atInfo()
        .addKeyValue("revision", revision)
        .addKeyValue("device", load.device().id())
        .addKeyValue("code", rejection.code())
        .addKeyValue("reason", rejection.message())
        .log("a load was refused");
    switch (rejection.code()) {
      case NEVER_FITS, UNSUPPORTED -> loads.fail(revision, failure(rejection, true), now);
      case NO_MEMORY_NOW -> {
        loads.abandon(revision);
        ControlRound.evictable(status, room.functions(), room.wishes()).stream()
            .filter(instance -> !instance.revision().equals(revision))
            .findFirst()
            .ifPresent(victim ->
                apply(
                    new ControlRound.Act.Unload(
                        victim.revision(),
                        load.device(),
                        "least recently used, and %s needs room".formatted(revision)),
                    now));
      }
      case BUSY, DRAINING, PINNED -> loads.abandon(revision);
      case UNKNOWN_INSTANCE -> loads.fail(revision, failure(rejection, false), now);
    }
  }

  private static Failure failure(Rejection rejection, boolean permanent) {
    return new Failure(
        rejection.code().name().toLowerCase(Locale.ROOT), rejection.message(), permanent);
  }

  private void apply(ControlRound.Act.Unload unload, Instant now) {
    RuntimeAddress address = unload.device().address();
    if (address == null) {
      return;
    }
    boolean deleted = directory.snapshot().find(unload.revision().function()).isEmpty();
    Instant since = leaving.computeIfAbsent(unload.revision(), _ -> now);
    boolean force = deleted && now.isAfter(since.plus(DELETE_GRACE));
    try {
      switch (client.unload(address, new UnloadRequest(unload.revision(), force))) {
        case Outcome.Done<InstanceStatus> _ -> {
          leaving.remove(unload.revision());
          unloadCount.increment();
          LOG.atInfo()
              .addKeyValue("revision", unload.revision())
              .addKeyValue("device", unload.device().id())
              .addKeyValue("reason", unload.reason())
              .log("unloaded");
        }
        case Outcome.Refused<InstanceStatus>(var rejection) ->
            LOG.atDebug()
                .addKeyValue("revision", unload.revision())
                .addKeyValue("reason", rejection.message())
                .log("an unload was refused");
      }
    } catch (RuntimeUnavailableException e) {
      LOG.atWarn()
          .addKeyValue("revision", unload.revision())
          .setCause(e)
          .log("an unload could not be asked for");
    }
  }

  private final class Wishes implements ControlRound.Wishes {
    private final Instant now;

    Wishes(Instant now) {
      this.now = now;
    }

    @Override
    public boolean held(DeployedFunction function) {
      return demand.held(function.name()) > 0;
    }

    @Override
    public boolean wanted(RevisionId revision) {
      return wanted.contains(revision);
    }

    @Override
    public boolean underWay(RevisionId revision) {
      return loads.underWay(revision);
    }

    @Override
    public boolean blocked(RevisionId revision) {
      return loads.failure(revision).map(failed -> failed.blocks(now)).orElse(false);
    }
  }
}
