package dev.weft.platform.control;

import dev.weft.functions.Function;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi.Inspection;
import dev.weft.functions.instance.ControlApi.PrewarmRequest;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.RuntimeClient.Outcome;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The control loop: observe, decide, apply. It runs when something changes and at least once a
/// period, in one virtual thread; [ControlRound] decides, and [RuntimeActs] apply it.
@Singleton
public final class FunctionController {
  private static final Logger LOG = LoggerFactory.getLogger(FunctionController.class);

  private final FunctionDirectory directory;
  private final Fleet fleet;
  private final Demand demand;
  private final LoadTracker loads;
  private final RuntimeClient client;
  private final WeftConfig.Control config;
  private final RuntimeActs acts;
  private final Semaphore wake = new Semaphore(0);
  private final Set<RevisionId> wanted = ConcurrentHashMap.newKeySet();
  private final Map<DeviceId, Set<RevisionId>> served = new HashMap<>();

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
    this.client = client;
    this.config = config.control();
    this.acts = new RuntimeActs(loads, decisions, client, config.control().leaveGrace(), metrics);
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
    var wishes =
        new CurrentWishes(demand, loads, wanted, acts.displaced(now), config.exclusive(), now);
    acts.apply(
        new ControlRound(functions, seen, wishes, config.exclusive(), now).decide(), seen, now);
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
}
