package dev.weft.runtime.instance;

import dev.weft.functions.ModelName;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.instance.Instances.Detached;
import dev.weft.runtime.instance.Slot.Pending;
import dev.weft.runtime.source.FetchedModel;
import dev.weft.runtime.weights.SourceFile;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Brings revisions up from tier to tier, each on a thread of its own, until they serve. A load
/// that fails gives back what it took, and its slot says why.
final class Loads implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Loads.class);

  /// The heap that is left alone after a load.
  private static final long HEAP_KEPT_BYTES = 96L << 20;

  private final Engine engine;
  private final ModelSupply supply;
  private final InstanceSettings settings;
  private final InstanceListener listener;
  private final Instances instances;
  private final ModelLoader loader;
  private final AdapterLoader adapters;
  private final ChangeSignal changes;
  private final Consumer<Detached> retire;
  private final ExecutorService threads;

  /// Loads of adapters wait for those of their bases: they must not take the threads of these.
  private final ExecutorService adapterThreads;

  /// @param retire gives back what an instance held that is off the device
  Loads(
      InstanceManager.Device device,
      InstanceSettings settings,
      InstanceListener listener,
      Instances instances,
      Loaders loaders,
      ChangeSignal changes,
      Consumer<Detached> retire) {
    this.engine = device.engine();
    this.supply = device.supply();
    this.settings = settings;
    this.listener = listener;
    this.instances = instances;
    this.loader = loaders.models();
    this.adapters = loaders.adapters();
    this.changes = changes;
    this.retire = retire;
    this.threads =
        Executors.newFixedThreadPool(
            settings.loadThreads(), Thread.ofPlatform().name("weft-load-", 0).daemon().factory());
    this.adapterThreads =
        Executors.newThreadPerTaskExecutor(
            Thread.ofPlatform().name("weft-adapter-", 0).daemon().factory());
  }

  /// What puts models and adapters on the device.
  record Loaders(ModelLoader models, AdapterLoader adapters) {}

  /// Asks for a revision to be at a tier at least. Joins the load under way, if there is one; what
  /// is there already stays.
  ///
  /// @param pinned when given, whether the instance may never be evicted
  ControlOutcome reach(Revision revision, Tier target, Optional<Boolean> pinned) {
    if (instances.draining()) {
      return new ControlOutcome.Refused(
          new Rejection(Rejection.Code.DRAINING, "the runtime is shutting down"));
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
          (slot.base == null ? threads : adapterThreads).execute(() -> run(slot, pending));
          return new ControlOutcome.Accepted(instances.status(slot), pending.settled);
        });
  }

  private void run(Slot slot, Pending pending) {
    Instant started = instances.now();
    try {
      instances.read(slot, s -> s.vacated).join();
      climb(slot, pending);
    } catch (RuntimeException | Error e) {
      fail(slot, pending, e);
      return;
    }
    Tier reached = instances.read(slot, s -> s.tier);
    if (reached == Tier.READY && !arrived(slot)) {
      return;
    }
    Duration took = Duration.between(started, instances.now());
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

  /// Sees the last weights of what serves already to the device. Where they do not get there, it
  /// serves no more: its steps have failed.
  private boolean arrived(Slot slot) {
    Resident resident = instances.read(slot, s -> s.resident);
    if (resident == null) {
      // It has gone again.
      return true;
    }
    try {
      resident.awaitArrival();
      return true;
    } catch (RuntimeException | Error e) {
      // Or it was unloaded meanwhile.
      instances
          .read(slot, s -> s.resident == resident ? detached(s, e) : List.<Detached>of())
          .forEach(retire);
      return false;
    }
  }

  private List<Detached> detached(Slot slot, Throwable cause) {
    slot.failure = failure(slot, cause);
    listener.onLoadFailed(slot.revision.id(), slot.failure.code());
    return instances.tryDetach(slot, true);
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

  private static Failure failure(Slot slot, Throwable cause) {
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
    return failure;
  }

  private void fail(Slot slot, Pending pending, Throwable cause) {
    Failure failure = failure(slot, cause);
    instances.update(
        slot,
        s -> {
          s.pending = null;
          s.progress = null;
          s.failure = failure;
        });
    try {
      // What was compiled and could not be put to work is of no use to the next try.
      instances.tryDetach(slot, true).forEach(retire);
      listener.onLoadFailed(slot.revision.id(), failure.code());
    } finally {
      pending.settled.complete(instances.status(slot));
    }
  }

  private void phase(Slot slot, LoadProgress.Phase phase) {
    instances.progress(slot, new LoadProgress(phase, "", 0, 0));
  }

  /// Starts no more loads. What runs has been cancelled by who closes.
  @Override
  public void close() {
    threads.shutdownNow();
    loader.close();
    adapterThreads.shutdownNow();
  }
}
