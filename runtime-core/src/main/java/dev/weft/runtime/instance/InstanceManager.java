package dev.weft.runtime.instance;

import dev.weft.autoscaler.memory.EvictionPlan.Candidate;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.ModelName;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.instance.Slot.Pending;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.MemoryLedger;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Loads, serves and unloads the revisions of one device. Thread-safe; calls that may take long say
/// so.
public final class InstanceManager implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(InstanceManager.class);

  private final InstanceListener listener;
  private final Instances instances;
  private final Inspector inspector;
  private final ChangeSignal changes;
  private final StatusPublisher publisher;
  private final Departures departures = new Departures(this::retire);
  private final Loads loads;

  /// What a manager works with.
  ///
  /// @param identity of the device and of this start of the runtime
  /// @param profiles where it is kept how long steps take
  public record Device(
      DeviceIdentity identity,
      Backend backend,
      Engine engine,
      MemoryLedger ledger,
      Balloon balloon,
      ModelSupply supply,
      ProfileStore profiles) {}

  public InstanceManager(
      Device device, InstanceSettings settings, InstanceListener listener, InstantSource clock) {
    this.listener = listener;
    var changes = new ChangeSignal();
    this.instances = new Instances(clock, changes::raise, device.backend().hostTier());
    var memory =
        new DeviceMemory(
            device,
            new DeviceMemory.Evictor() {
              @Override
              public List<Candidate> candidates() {
                return instances.candidates();
              }

              @Override
              public boolean evict(RevisionId revision, String reason) {
                return InstanceManager.this.evict(revision, reason);
              }
            });
    var loader = new ModelLoader(device, memory, settings, changes::raise);
    var loaders = new Loads.Loaders(loader, new AdapterLoader(memory, loader::fingerprint));
    this.loads = new Loads(device, settings, listener, instances, loaders, changes, this::retire);
    this.inspector = new Inspector(device.supply(), loader, memory, instances);
    var snapshots = new SnapshotMaker(device, instances);
    this.publisher = new StatusPublisher(settings, changes, snapshots::make);
    this.changes = changes;
    publisher.start();
  }

  /// Asks for a revision to serve. Joins the load under way, if there is one. A pinned instance is
  /// never evicted.
  public ControlOutcome load(Revision revision, boolean pinned) {
    return load(revision, pinned, Optional.empty());
  }

  /// As [#load(Revision, boolean)]; `base` is what to load an adapter onto, which is loaded first
  /// when need be. An adapter that serves stays where it is.
  public ControlOutcome load(Revision revision, boolean pinned, Optional<Revision> base) {
    boolean adapter = revision.spec().adapterOf() != null;
    boolean matches =
        base.map(each -> each.id().function().equals(revision.spec().adapterOf())).orElse(!adapter);
    if (!matches) {
      return refused(
          Rejection.Code.UNSUPPORTED,
          adapter
              ? "%s is an adapter: it is loaded with a revision of '%s'"
                  .formatted(revision.id(), revision.spec().adapterOf())
              : "%s is no adapter, and has no base".formatted(revision.id()));
    }
    base.ifPresent(each -> instances.with(revision, slot -> onto(slot, each)));
    return loads.reach(revision, Tier.READY, Optional.of(pinned));
  }

  /// Where it is, or is on its way to, it stays.
  private static Slot onto(Slot slot, Revision base) {
    if (slot.base == null || (slot.resident == null && slot.pending == null)) {
      slot.base = base;
    }
    return slot;
  }

  /// Asks for a revision's weights to be at least at a tier. What is there already stays.
  public ControlOutcome prewarm(Revision revision, Tier tier) {
    if (revision.spec().adapterOf() != null && tier.atLeast(Tier.DEVICE)) {
      return refused(
          Rejection.Code.UNSUPPORTED,
          "%s is an adapter: it gets there by a load, with its base".formatted(revision.id()));
    }
    return loads.reach(revision, tier, Optional.empty());
  }

  /// Takes a revision off the device. A load under way is cancelled. `force` ends what runs, and
  /// takes pinned ones too. May take as long as a step. Its memory is free when this returns, but
  /// for what has been computed of requests that it ended: that is kept for some seconds, for who
  /// goes on with them elsewhere, and then all of it is given back.
  public ControlOutcome unload(RevisionId revision, boolean force) {
    return unload(revision, force, force);
  }

  /// @param keep whether what was computed is kept
  private ControlOutcome unload(RevisionId revision, boolean force, boolean keep) {
    Optional<Slot> found = instances.find(revision);
    if (found.isEmpty()) {
      return refused(Rejection.Code.UNKNOWN_INSTANCE, "%s is not known here".formatted(revision));
    }
    Slot slot = found.get();
    if (!force && instances.read(slot, s -> s.pinned)) {
      return refused(Rejection.Code.PINNED, "%s is pinned".formatted(revision));
    }
    Pending pending = instances.read(slot, s -> s.pending);
    if (pending != null) {
      pending.cancelled = true;
      pending.settled.join();
    }
    instances.update(slot, s -> s.pinned = false);
    if (force) {
      instances.adaptersOf(revision).forEach(adapter -> unload(adapter.revision.id(), true, keep));
    }
    List<Instances.Detached> detached = instances.tryDetach(slot, force);
    if (detached.isEmpty() && instances.busy(slot)) {
      return refused(Rejection.Code.BUSY, "%s is busy".formatted(revision));
    }
    if (!detached.isEmpty()) {
      detached.forEach(keep ? departures::begin : this::retire);
      log.atInfo()
          .addKeyValue("revision", revision)
          .addKeyValue("forced", force)
          .log("unloaded an instance");
    }
    InstanceStatus status = instances.status(slot);
    return new ControlOutcome.Accepted(status, CompletableFuture.completedFuture(status));
  }

  /// A lease of the function's model: of the revision asked for, or of the newest that serves.
  public Lookup acquire(FunctionName function, Optional<RevisionId> revision) {
    return acquire(ModelName.of(function), revision);
  }

  /// As [#acquire(FunctionName, Optional)], of an adapter also with its base.
  public Lookup acquire(ModelName name, Optional<RevisionId> revision) {
    return instances.acquire(name, revision);
  }

  /// All that is known, at this moment.
  public DeviceStatus status() {
    return publisher.refresh();
  }

  /// Calls `consumer` with the present status and each later one, on the publisher's thread.
  /// Closing ends it.
  public Subscription subscribe(Consumer<DeviceStatus> consumer) {
    return publisher.subscribe(consumer);
  }

  /// Ends a subscription.
  public interface Subscription extends AutoCloseable {
    @Override
    void close();
  }

  /// What a function would need here. Reads files that this machine has; downloads nothing; may ask
  /// a source for sizes, which can take seconds.
  public ControlApi.Inspection inspect(Function function) {
    return inspector.inspect(function);
  }

  /// Admits nothing from now on, and waits for what runs; false when `limit` was too short for it.
  public boolean drain(Duration limit) throws InterruptedException {
    instances.drain();
    return instances.awaitIdle(limit);
  }

  /// Unloads everything, busy or not.
  @Override
  public void close() {
    instances.drain();
    // All of them before the first is waited for: loads that wait for a thread come last.
    for (Slot slot : instances.all()) {
      Pending pending = instances.read(slot, s -> s.pending);
      if (pending != null) {
        pending.cancelled = true;
      }
    }
    for (Slot slot : instances.all()) {
      unload(slot.revision.id(), true, false);
    }
    departures.close();
    loads.close();
    publisher.close();
  }

  // Making room.

  private boolean evict(RevisionId revision, String reason) {
    List<Instances.Detached> detached =
        instances.find(revision).map(slot -> instances.tryDetach(slot, false)).orElse(List.of());
    for (Instances.Detached each : detached) {
      retire(each);
      RevisionId gone = each.slot().revision.id();
      listener.onEvicted(gone);
      log.atInfo()
          .addKeyValue("revision", gone)
          .addKeyValue(
              "reason", gone.equals(revision) ? reason : "its base %s goes".formatted(revision))
          .log("evicted an instance");
    }
    return !detached.isEmpty();
  }

  private void retire(Instances.Detached detached) {
    CompletableFuture<Void> vacated = instances.read(detached.slot(), s -> s.vacated);
    try {
      detached.resident().retire().join();
    } finally {
      vacated.complete(null);
      changes.raise();
    }
  }

  private static ControlOutcome refused(Rejection.Code code, String message) {
    return new ControlOutcome.Refused(new Rejection(code, message));
  }
}
