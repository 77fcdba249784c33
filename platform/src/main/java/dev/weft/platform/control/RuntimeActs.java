package dev.weft.platform.control;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.Why;
import dev.weft.platform.control.RuntimeClient.Outcome;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Has runtimes do what a round of the control loop decided, and says so. What a runtime refuses,
/// or cannot be asked for, is for a later round to decide anew. For the loop's thread.
final class RuntimeActs {
  private static final Logger LOG = LoggerFactory.getLogger(RuntimeActs.class);

  /// What was displaced may keep its memory for some seconds, until who goes on with its streams
  /// has fetched their keys and values.
  private static final Duration DISPLACED_FOR = Duration.ofSeconds(15);

  private final LoadTracker loads;
  private final Decisions decisions;
  private final RuntimeClient client;
  private final Duration leaveGrace;
  private final Counter loadCount;
  private final Counter unloadCount;
  private final Map<Leaving, Instant> leaving = new HashMap<>();

  /// For which revisions busy instances were displaced, and when.
  private final Map<RevisionId, Instant> displaced = new HashMap<>();

  /// @param leaveGrace how long an instance that must go may stay busy
  RuntimeActs(
      LoadTracker loads,
      Decisions decisions,
      RuntimeClient client,
      Duration leaveGrace,
      MeterRegistry metrics) {
    this.loads = loads;
    this.decisions = decisions;
    this.client = client;
    this.leaveGrace = leaveGrace;
    this.loadCount =
        Counter.builder("weft.gateway.loads")
            .description("Loads that runtimes were asked for")
            .register(metrics);
    this.unloadCount =
        Counter.builder("weft.gateway.unloads")
            .description("Unloads that runtimes were asked for")
            .register(metrics);
  }

  /// Revisions for which others have been displaced a moment ago.
  Set<RevisionId> displaced(Instant now) {
    displaced.values().removeIf(at -> now.isAfter(at.plus(DISPLACED_FOR)));
    return displaced.keySet();
  }

  void apply(List<ControlRound.Act> acts, Fleet.Snapshot seen, Instant now) {
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
    boolean force = unload.must() && (!busy || now.isAfter(since.plus(leaveGrace)));
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
