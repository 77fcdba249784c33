package dev.weft.runtime.instance;

import dev.weft.autoscaler.memory.EvictionPlan.Candidate;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Model;
import dev.weft.functions.ModelName;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.backend.HostTier;
import dev.weft.runtime.engine.Engine;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The table of what this device knows: one monitor over all slots, held for moments only. Slow
/// work is done outside, on what has been taken out of the table.
final class Instances {
  private final InstantSource clock;
  private final Runnable changed;
  private final HostTier host;
  private final Map<RevisionId, Slot> slots = new HashMap<>();
  private boolean draining;

  /// @param changed told after each change; must not call back
  Instances(InstantSource clock, Runnable changed, HostTier host) {
    this.clock = clock;
    this.changed = changed;
    this.host = host;
  }

  /// Runs `action` on the slot of a revision, made when there is none.
  synchronized <R> R with(Revision revision, Function<Slot, R> action) {
    Slot slot = slots.computeIfAbsent(revision.id(), _ -> new Slot(revision, clock.instant()));
    R result = action.apply(slot);
    forgetOldest();
    changed.run();
    return result;
  }

  synchronized void update(Slot slot, Consumer<Slot> action) {
    action.accept(slot);
    changed.run();
  }

  synchronized <R extends @Nullable Object> R read(Slot slot, Function<Slot, R> question) {
    return question.apply(slot);
  }

  synchronized Optional<Slot> find(RevisionId id) {
    return Optional.ofNullable(slots.get(id));
  }

  /// A lease of the revision asked for, or of the function's newest that serves.
  synchronized Lookup acquire(ModelName name, Optional<RevisionId> wanted) {
    if (draining) {
      return new Lookup.Draining();
    }
    List<Slot> known =
        slots.values().stream()
            .filter(slot -> name.fits(slot.revision.id().function(), slot.revision.spec()))
            .filter(slot -> wanted.isEmpty() || wanted.get().equals(slot.revision.id()))
            .sorted(Comparator.comparingInt((Slot slot) -> slot.revision.id().number()).reversed())
            .toList();
    for (Slot slot : known) {
      Resident resident = slot.resident;
      ServingModel model = resident == null ? null : resident.model();
      if (resident != null && model != null && slot.tier == Tier.READY) {
        return new Lookup.Serving(lease(slot, resident, model));
      }
    }
    return known.isEmpty() ? new Lookup.Unknown() : new Lookup.NotReady(status(known.getFirst()));
  }

  private Lease lease(Slot slot, Resident resident, ServingModel model) {
    resident.retain();
    use(slot, 1);
    return new Lease(
        model,
        () -> {
          release(slot);
          resident.release();
        });
  }

  private synchronized void release(Slot slot) {
    use(slot, -1);
    notifyAll();
  }

  /// Who uses an adapter uses what it is on.
  private void use(Slot slot, int leases) {
    slot.leases += leases;
    slot.lastUsedAt = clock.instant();
    if (slot.on != null) {
      use(slot.on, leases);
    }
    changed.run();
  }

  /// What was taken out of its slot, and is to be retired.
  record Detached(Slot slot, Resident resident) {}

  /// Takes the resident out of its slot, and the adapters that are on it out of theirs, so that
  /// nobody finds them any more. Adapters come first, in the order in which to retire them. Empty
  /// when there is none, or when it is busy or pinned and not `forced` to go.
  synchronized List<Detached> tryDetach(Slot slot, boolean forced) {
    if (slot.resident == null || slot.pending != null) {
      return List.of();
    }
    if (!forced && (pinned(slot) || busy(slot))) {
      return List.of();
    }
    List<Detached> detached = new ArrayList<>();
    for (Slot adapter : adaptersOn(slot)) {
      detached.addAll(detach(adapter));
    }
    detached.addAll(detach(slot));
    changed.run();
    return detached;
  }

  private static List<Detached> detach(Slot slot) {
    Resident resident = slot.resident;
    if (resident == null) {
      return List.of();
    }
    slot.resident = null;
    slot.on = null;
    slot.tier = Tier.DISK;
    slot.vacated = new CompletableFuture<>();
    return List.of(new Detached(slot, resident));
  }

  /// Whether requests use the slot's resident, or will.
  synchronized boolean busy(Slot slot) {
    Resident resident = slot.resident;
    return slot.leases > 0
        || slot.pending != null
        || (resident != null && resident.load().busy())
        || adaptersOn(slot).stream().anyMatch(adapter -> adapter.pending != null);
  }

  private boolean pinned(Slot slot) {
    return slot.pinned || adaptersOn(slot).stream().anyMatch(adapter -> adapter.pinned);
  }

  private List<Slot> adaptersOn(Slot slot) {
    return slots.values().stream().filter(adapter -> adapter.on == slot).toList();
  }

  /// Adapters that are on a revision, or on their way there.
  synchronized List<Slot> adaptersOf(RevisionId base) {
    return slots.values().stream()
        .filter(slot -> slot.base != null && slot.base.id().equals(base))
        .filter(slot -> slot.resident != null || slot.pending != null)
        .toList();
  }

  /// Puts an adapter's resident where it is found. The caller has a lease of the base.
  synchronized void place(Slot slot, Resident resident, Slot on) {
    slot.resident = resident;
    slot.tier = Tier.DEVICE;
    slot.on = on;
    changed.run();
  }

  /// The newest model of a function that serves here, for a look at it only.
  synchronized Optional<ResidentModel> serving(FunctionName function) {
    return slots.values().stream()
        .filter(slot -> slot.revision.id().function().equals(function))
        .filter(slot -> slot.tier == Tier.READY)
        .max(Comparator.comparingInt((Slot slot) -> slot.revision.id().number()))
        .map(slot -> slot.resident instanceof ResidentModel model ? model : null);
  }

  /// Everything that holds memory, as eviction sees it.
  synchronized List<Candidate> candidates() {
    List<Candidate> candidates = new ArrayList<>();
    for (Slot slot : slots.values()) {
      Resident resident = slot.resident;
      if (resident != null) {
        candidates.add(
            new Candidate(
                slot.revision.id(),
                resident.bytes(),
                resident.activationBytes(),
                slot.lastUsedAt,
                busy(slot),
                pinned(slot),
                slot.revision.spec().serviceLevel().priority()));
      }
    }
    return candidates;
  }

  synchronized List<Slot> all() {
    return List.copyOf(slots.values());
  }

  synchronized boolean draining() {
    return draining;
  }

  /// Admits nothing from now on.
  synchronized void drain() {
    draining = true;
    changed.run();
  }

  /// Waits until no lease is open; false when that took longer than `limit`.
  synchronized boolean awaitIdle(Duration limit) throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (slots.values().stream().anyMatch(slot -> slot.leases > 0)) {
      long leftMillis = (deadline - System.nanoTime()) / 1_000_000;
      if (leftMillis <= 0) {
        return false;
      }
      wait(leftMillis);
    }
    return true;
  }

  synchronized List<InstanceStatus> statuses() {
    return slots.values().stream()
        .map(this::status)
        .sorted(Comparator.comparing(status -> status.revision().toString()))
        .toList();
  }

  // The class file of a compact constructor keeps no type annotations of its parameters, so
  // NullAway
  // cannot see that the kind may be null.
  @SuppressWarnings("NullAway")
  synchronized InstanceStatus status(Slot slot) {
    Resident resident = slot.resident;
    Engine.Load load = resident == null ? Engine.Load.idle(0) : resident.load();
    // A request that is being tokenised has a lease and no sequence yet: it waits, too.
    int waiting = Math.max(load.waiting(), slot.leases - load.running());
    return new InstanceStatus(
        slot.revision.id(),
        resident == null ? declaredKind(slot.revision) : resident.kind(),
        tier(slot),
        slot.pinned,
        load.running(),
        waiting,
        resident == null ? slot.fileBytes : resident.weightBytes(),
        resident == null ? Blocks.NONE : resident.blocks(load),
        slot.loadCount,
        slot.lastUsedAt,
        slot.progress,
        slot.failure,
        adaptersOn(slot).stream()
            .filter(adapter -> adapter.tier == Tier.READY)
            .map(adapter -> adapter.revision.id().function().value())
            .sorted()
            .toList(),
        resident == null ? 0 : resident.workers(),
        resident == null ? null : resident.profile(),
        load.headroom() == null ? null : load.headroom().toMillis());
  }

  /// What has left the device may still be in the host's memory, and what was there may have gone.
  synchronized Tier tier(Slot slot) {
    return switch (slot.tier) {
      case REMOTE, DEVICE, READY -> slot.tier;
      case DISK, HOST -> host.has(slot.files, slot.tier == Tier.HOST) ? Tier.HOST : Tier.DISK;
    };
  }

  private static Model.@Nullable Kind declaredKind(Revision revision) {
    return revision.spec().adapterOf() == null
        ? revision.spec().model().kind()
        : Model.Kind.GENERATION;
  }

  synchronized void progress(Slot slot, LoadProgress progress) {
    slot.progress = progress;
    changed.run();
  }

  /// Bounds the table: revisions of which nothing is loaded are forgotten, oldest first.
  private void forgetOldest() {
    while (slots.size() > InstanceSettings.MAX_KNOWN_REVISIONS) {
      Optional<Slot> oldest =
          slots.values().stream()
              .filter(slot -> slot.resident == null && slot.pending == null)
              .min(Comparator.comparing((Slot slot) -> slot.lastUsedAt));
      if (oldest.isEmpty()) {
        return;
      }
      slots.remove(oldest.get().revision.id());
    }
  }

  /// The present, for those who work on slots.
  Instant now() {
    return clock.instant();
  }
}
