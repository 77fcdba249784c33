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
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.instance.Slot.Pending;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.source.FetchedModel;
import dev.weft.runtime.weights.SourceFile;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Loads, serves and unloads the revisions of one device. Thread-safe; calls that may take long say
/// so.
public final class InstanceManager implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(InstanceManager.class);

  /// The heap that is left alone after a load.
  private static final long HEAP_KEPT_BYTES = 96L << 20;

  private final Engine engine;
  private final ModelSupply supply;
  private final InstanceSettings settings;
  private final InstanceListener listener;
  private final Instances instances;
  private final DeviceMemory memory;
  private final ModelLoader loader;
  private final AdapterLoader adapters;
  private final Inspector inspector;
  private final ChangeSignal changes;
  private final StatusPublisher publisher;
  private final Departures departures = new Departures(this::retire);
  private final ExecutorService loads;

  /// Loads of adapters wait for those of their bases: they must not take the threads of these.
  private final ExecutorService adapterLoads;

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
    this.engine = device.engine();
    this.supply = device.supply();
    this.settings = settings;
    this.listener = listener;
    var changes = new ChangeSignal();
    this.instances = new Instances(clock, changes::raise, device.backend().hostTier());
    this.memory =
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
    this.loader = new ModelLoader(device, memory, settings, changes::raise);
    this.loads =
        Executors.newFixedThreadPool(
            settings.loadThreads(), Thread.ofPlatform().name("weft-load-", 0).daemon().factory());
    this.adapterLoads =
        Executors.newThreadPerTaskExecutor(
            Thread.ofPlatform().name("weft-adapter-", 0).daemon().factory());
    this.adapters = new AdapterLoader(memory, loader::fingerprint);
    this.inspector = new Inspector(supply, loader, memory, instances);
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
    return reach(revision, Tier.READY, Optional.of(pinned));
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
    return reach(revision, tier, Optional.empty());
  }

  private ControlOutcome reach(Revision revision, Tier target, Optional<Boolean> pinned) {
    if (instances.draining()) {
      return refused(Rejection.Code.DRAINING, "the runtime is shutting down");
    }
    return instances.with(
        revision,
        slot -> {
          pinned.ifPresent(value -> slot.pinned = value);
          Pending joined = slot.pending;
          if (joined != null) {
            joined.target = joined.target.atLeast(target) ? joined.target : target;
            return new ControlOutcome.Accepted(instances.status(slot), joined.settled);
          }
          slot.tier = instances.tier(slot);
          if (slot.tier.atLeast(target)) {
            InstanceStatus status = instances.status(slot);
            return new ControlOutcome.Accepted(status, CompletableFuture.completedFuture(status));
          }
          Pending pending = new Pending(target);
          slot.pending = pending;
          slot.failure = null;
          slot.progress = new LoadProgress(LoadProgress.Phase.FETCHING, "", 0, 0);
          (slot.base == null ? loads : adapterLoads).execute(() -> run(slot, pending));
          return new ControlOutcome.Accepted(instances.status(slot), pending.settled);
        });
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
    loads.shutdownNow();
    loader.close();
    adapterLoads.shutdownNow();
    publisher.close();
  }

  // Loading, on a load thread.

  private void run(Slot slot, Pending pending) {
    Instant started = instances.now();
    try {
      instances.read(slot, s -> s.vacated).join();
      climb(slot, pending);
    } catch (RuntimeException | Error e) {
      fail(slot, pending, e);
      return;
    }
    Duration took = Duration.between(started, instances.now());
    Tier reached = instances.read(slot, s -> s.tier);
    log.atInfo()
        .addKeyValue("revision", slot.revision.id())
        .addKeyValue("tier", reached)
        .addKeyValue("millis", took.toMillis())
        .log("loaded");
    if (reached == Tier.READY) {
      listener.onLoaded(slot.revision.id(), took);
    }
    collectGarbage();
  }

  /// Loads leave megabytes of garbage, which a heap with room would rather grow by than look at:
  /// now and then it is collected, for some milliseconds, and the heap shrinks.
  private static void collectGarbage() {
    if (Runtime.getRuntime().totalMemory() > HEAP_KEPT_BYTES) {
      System.gc();
    }
  }

  /// Goes up tier by tier until the target is reached; the target may rise meanwhile.
  private void climb(Slot slot, Pending pending) {
    Path path = null;
    while (!settle(slot, pending)) {
      if (pending.cancelled) {
        throw LoadException.cancelled();
      }
      Tier tier = instances.read(slot, s -> s.tier);
      if (tier == Tier.DEVICE) {
        serve(slot);
      } else if (path == null) {
        path = fetch(slot, pending);
      } else if (instances.read(slot, _ -> pending.target) == Tier.HOST) {
        phase(slot, LoadProgress.Phase.VERIFYING);
        // An adapter is small: it is read when it is put on its base.
        List<SourceFile> files =
            slot.revision.spec().adapterOf() == null ? loader.toHost(path) : List.of();
        instances.update(
            slot,
            s -> {
              s.files = files;
              s.tier = Tier.HOST;
            });
      } else {
        place(slot, path, pending);
      }
    }
  }

  /// Puts a model on the device, or an adapter on its base.
  private void place(Slot slot, Path path, Pending pending) {
    Revision base = instances.read(slot, s -> s.base);
    if (base != null) {
      loadOnto(base, slot, path, pending);
      return;
    }
    ResidentModel resident = loader.load(slot.revision, path, phase -> phase(slot, phase));
    instances.update(
        slot,
        s -> {
          s.resident = resident;
          s.files = resident.files();
          s.tier = Tier.DEVICE;
        });
  }

  /// Loads an adapter, after its base, which stays until the adapter is on it.
  private void loadOnto(Revision base, Slot slot, Path path, Pending pending) {
    instances.progress(
        slot,
        new LoadProgress(
            LoadProgress.Phase.COMPILING, "waits for its base %s".formatted(base.id()), 0, 0));
    InstanceStatus reached =
        switch (reach(base, Tier.READY, Optional.empty())) {
          case ControlOutcome.Accepted(_, var settled) -> settled.join();
          case ControlOutcome.Refused(var rejection) ->
              throw LoadException.refused(rejection.code(), rejection.message());
        };
    if (pending.cancelled) {
      throw LoadException.cancelled();
    }
    ModelName name = ModelName.of(base.id().function());
    if (!(instances.acquire(name, Optional.of(base.id())) instanceof Lookup.Serving(Lease lease))) {
      throw LoadException.withoutBase(base.id(), reached.failure());
    }
    try (lease) {
      Slot on = instances.find(base.id()).orElseThrow();
      if (!(instances.read(on, s -> s.resident) instanceof ResidentModel model)) {
        throw LoadException.refused(
            Rejection.Code.UNSUPPORTED, "%s is an adapter itself".formatted(base.id()));
      }
      Resident resident = adapters.load(slot.revision, path, model, phase -> phase(slot, phase));
      instances.place(slot, resident, on);
    }
  }

  /// Ends the load when its target has been reached.
  private boolean settle(Slot slot, Pending pending) {
    Optional<InstanceStatus> settled =
        instances.read(
            slot,
            s -> {
              if (!s.tier.atLeast(pending.target)) {
                return Optional.empty();
              }
              s.pending = null;
              s.progress = null;
              s.failure = null;
              return Optional.of(instances.status(s));
            });
    settled.ifPresent(pending.settled::complete);
    changes.raise();
    return settled.isPresent();
  }

  private Path fetch(Slot slot, Pending pending) {
    var progress =
        new FetchProgress(
            slot.revision.id(),
            (detail, done, total) ->
                instances.progress(
                    slot, new LoadProgress(LoadProgress.Phase.FETCHING, detail, done, total)));
    FetchedModel fetched =
        supply.fetch(slot.revision.spec().model().sources(), progress, () -> pending.cancelled);
    instances.update(
        slot,
        s -> {
          s.fileBytes = fetched.bytes();
          s.tier = s.tier.atLeast(Tier.DISK) ? s.tier : Tier.DISK;
        });
    return fetched.path();
  }

  private void serve(Slot slot) {
    Resident resident = instances.read(slot, s -> s.resident);
    if (resident == null) {
      throw new IllegalStateException(slot.revision.id() + " has no resident to serve");
    }
    resident.serve(engine, settings, instances.now());
    instances.update(
        slot,
        s -> {
          s.lastUsedAt = instances.now();
          s.tier = Tier.READY;
          s.loadCount++;
        });
  }

  private void fail(Slot slot, Pending pending, Throwable cause) {
    Failure failure = LoadException.describe(cause);
    var event = log.atWarn();
    if (!LoadException.expected(cause)) {
      event = log.atError().setCause(cause);
    }
    event
        .addKeyValue("revision", slot.revision.id())
        .addKeyValue("code", failure.code())
        .addKeyValue("permanent", failure.permanent())
        .addKeyValue("reason", failure.message())
        .log("a load failed");
    instances.update(
        slot,
        s -> {
          s.pending = null;
          s.progress = null;
          s.failure = failure;
        });
    try {
      // What was compiled and could not be put to work is of no use to the next try.
      instances.tryDetach(slot, true).forEach(this::retire);
      listener.onLoadFailed(slot.revision.id(), failure.code());
    } finally {
      pending.settled.complete(instances.status(slot));
    }
  }

  private void phase(Slot slot, LoadProgress.Phase phase) {
    instances.progress(slot, new LoadProgress(phase, "", 0, 0));
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
