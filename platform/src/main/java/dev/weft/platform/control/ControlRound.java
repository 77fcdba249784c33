package dev.weft.platform.control;

import dev.weft.autoscaler.placement.Routing;
import dev.weft.autoscaler.scaling.Consolidation;
import dev.weft.autoscaler.scaling.Foresight;
import dev.weft.autoscaler.scaling.KeepAlive;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.functions.instance.Why;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// One round of the control loop: from what is deployed, what runs and what is waited for, to the
/// acts that bring them together. Pure: it reads its arguments and returns a plan with reasons.
/// Whether a revision is loaded is [LoadReasons]' decision, where is [Routing]'s and
/// [SharedDevices]', what may go is [KeepAlive]'s and [Consolidation]'s; which of what idles makes
/// room for a load is the runtime's own.
final class ControlRound {
  private final FunctionDirectory.Snapshot functions;
  private final Fleet.Snapshot fleet;
  private final Wishes wishes;
  private final Instant now;
  private final LoadReasons reasons;
  private final @Nullable ExclusiveDevices exclusive;

  /// @param exclusive whether a device serves one model at a time
  ControlRound(
      FunctionDirectory.Snapshot functions,
      Fleet.Snapshot fleet,
      Wishes wishes,
      boolean exclusive,
      Instant now) {
    this.functions = functions;
    this.fleet = fleet;
    this.wishes = wishes;
    this.now = now;
    this.reasons = new LoadReasons(fleet, wishes, exclusive);
    this.exclusive = exclusive ? new ExclusiveDevices(wishes::loadsOn) : null;
  }

  /// What the round is to bring about beside what specs say.
  interface Wishes {
    /// Whether requests wait for this function.
    boolean held(DeployedFunction function);

    /// Whether requests came that none of its instances could take in time.
    boolean crowded(DeployedFunction function);

    /// The probability that the function is called within so much time.
    double soon(DeployedFunction function, Duration ahead);

    /// Whether this revision is to be loaded without a request: warmed, or lost with its runtime.
    boolean wanted(RevisionId revision);

    /// Whether a load was asked for and has not ended.
    boolean underWay(RevisionId revision);

    /// Whether a failure says not to try now.
    boolean blocked(RevisionId revision);

    /// Whether the device is known to be unable to load this revision, ever.
    boolean refuses(DeviceId device, RevisionId revision);

    /// Since when requests wait for this function; [Instant#MAX] when none does.
    Instant heldSince(DeployedFunction function);

    /// Whether a load was asked of this device and has not ended.
    boolean loadsOn(DeviceId device);

    /// Whether others have been displaced for this revision a moment ago: what they held may not be
    /// free yet.
    boolean displaced(RevisionId revision);
  }

  /// Something to be done, and why.
  sealed interface Act {
    /// @param base of an adapter: what to load it onto; `null` for a model of its own
    record Load(
        Revision revision, boolean pinned, DeviceId device, Why why, @Nullable Revision base)
        implements Act {}

    /// A load for which other instances go before; it is not begun unless all have gone.
    ///
    /// @param busy whether they go though they run requests, which go on elsewhere; else only those
    ///   go that idle
    record Swap(Load load, List<RevisionId> leave, boolean busy) implements Act {}

    /// A ready instance that is to be pinned, or no longer.
    record Pin(Revision revision, DeviceId device, boolean pinned, @Nullable Revision base)
        implements Act {}

    /// @param must whether it goes however long it stays busy
    record Unload(RevisionId revision, DeviceId device, boolean must, Why why) implements Act {}
  }

  List<Act> decide() {
    List<Act> acts = new ArrayList<>();
    for (DeployedFunction function : toLoad()) {
      load(function).ifPresent(acts::add);
      function.canaries().forEach(canary -> loadShare(function, canary).ifPresent(acts::add));
    }
    fleet.instances().forEach(placed -> release(placed).ifPresent(acts::add));
    List<KeepAlive.Loaded> loaded = loaded();
    List<KeepAlive.Unload> over = KeepAlive.decide(loaded, now).unloads();
    List<KeepAlive.Loaded> staying = loaded.stream().filter(each -> !goes(each, over)).toList();
    Stream.concat(over.stream(), Consolidation.decide(staying, now).stream())
        .map(unload -> new Act.Unload(unload.revision(), unload.device(), false, unload.why()))
        .forEach(acts::add);
    return acts;
  }

  private static boolean goes(KeepAlive.Loaded loaded, List<KeepAlive.Unload> unloads) {
    return unloads.stream()
        .anyMatch(unload ->
            unload.revision().equals(loaded.revision()) && unload.device().equals(loaded.device()));
  }

  /// Where devices are not shared, whoever waits for one is served in turn.
  private Collection<DeployedFunction> toLoad() {
    return exclusive == null
        ? functions.sorted()
        : functions.sorted().stream().sorted(Comparator.comparing(wishes::heldSince)).toList();
  }

  private Optional<Act> load(DeployedFunction function) {
    Revision active = function.active();
    List<Fleet.Placed> present =
        fleet.instancesOf(active.id()).stream()
            .filter(placed -> !fleet.drained(placed))
            .filter(placed -> placed.instance().tier() == Tier.READY || placed.instance().loading())
            .toList();
    Optional<Why> asked =
        present.isEmpty() ? reasons.first(function) : reasons.another(function, present);
    Optional<Why> why = asked.isEmpty() && present.isEmpty() ? reasons.ahead(function) : asked;
    if (why.isEmpty() || wishes.underWay(active.id()) || wishes.blocked(active.id())) {
      return Optional.empty();
    }
    FunctionName baseName = active.spec().adapterOf();
    if (baseName != null) {
      return functions.find(baseName).flatMap(base -> loadOnto(base.active(), active, why.get()));
    }
    // An earlier failure has been weighed by now; it must not keep the device out.
    Set<DeviceId> taken =
        present.stream().map(placed -> placed.device().id()).collect(Collectors.toSet());
    List<DeviceStatus> devices =
        fleet.statuses().stream()
            .filter(status -> !taken.contains(status.device()))
            .filter(status -> !wishes.refuses(status.device(), active.id()))
            .filter(status -> present.isEmpty() || status.memory().lasts())
            // For a guess nobody has to go.
            .filter(status ->
                asked.isPresent() || status.memory().freeBytes() >= fleet.weightBytes(active.id()))
            .map(status -> status.without(active.id()))
            .toList();
    boolean pinned = present.size() < active.spec().scaling().min();
    Function<DeviceId, Act.Load> load =
        device -> new Act.Load(active, pinned, device, why.get(), null);
    var request = Routing.Request.of(active.id(), active.spec());
    long bytes = fleet.weightBytes(active.id());
    if (exclusive != null || bytes == 0) {
      return place(request, devices)
          .map(place -> after(place.leave(), load.apply(place.device()), false));
    }
    boolean displaces =
        present.isEmpty() && wishes.held(function) && !wishes.displaced(active.id());
    int priority = active.spec().serviceLevel().priority();
    return new SharedDevices(functions, fleet)
        .take(request, devices, new SharedDevices.Newcomer(bytes, priority, displaces))
        .map(place -> after(place.leave(), load.apply(place.device()), true));
  }

  private Optional<Act> loadShare(DeployedFunction function, Revision canary) {
    if (!SharedCalls.wantsLoad(function, canary, fleet)
        || wishes.underWay(canary.id())
        || wishes.blocked(canary.id())) {
      return Optional.empty();
    }
    Revision base = baseOf(canary);
    if (base != null) {
      return loadOnto(base, canary, SharedCalls.WHY);
    }
    List<DeviceStatus> devices =
        fleet.statuses().stream().map(status -> status.without(canary.id())).toList();
    return place(Routing.Request.of(canary.id(), canary.spec()), devices)
        .map(place ->
            after(
                place.leave(),
                new Act.Load(canary, false, place.device(), SharedCalls.WHY, null),
                false));
  }

  private static Act after(List<RevisionId> leave, Act.Load load, boolean busy) {
    return leave.isEmpty() ? load : new Act.Swap(load, leave, busy);
  }

  private Optional<ExclusiveDevices.Place> place(
      Routing.Request request, List<DeviceStatus> devices) {
    if (exclusive != null) {
      return exclusive.take(request, devices);
    }
    return Routing.decide(request, devices) instanceof Routing.Loads(var device, _)
        ? Optional.of(new ExclusiveDevices.Place(device, List.of()))
        : Optional.empty();
  }

  /// An adapter goes where its base is, or where that would go; the runtime loads both.
  private Optional<Act> loadOnto(Revision base, Revision adapter, Why why) {
    var request = Routing.Request.of(base.id(), base.spec());
    Optional<ExclusiveDevices.Place> found =
        switch (Routing.decide(request, fleet.statuses())) {
          case Routing.Ready(var warm, _) ->
              Optional.of(new ExclusiveDevices.Place(warm, List.of()));
          case Routing.Joins(var loading, _) ->
              Optional.of(new ExclusiveDevices.Place(loading, List.of()));
          case Routing.Loads _ -> place(request, fleet.statuses());
          case Routing.Nowhere _ -> Optional.empty();
        };
    boolean pinned = adapter.spec().scaling().pinned();
    return found.map(place ->
        after(place.leave(), new Act.Load(adapter, pinned, place.device(), why, base), false));
  }

  private @Nullable Revision baseOf(Revision revision) {
    FunctionName base = revision.spec().adapterOf();
    return base == null ? null : functions.find(base).map(DeployedFunction::active).orElse(null);
  }

  /// Orphans go; the active revision is pinned as it says, and no other is.
  private Optional<Act> release(Fleet.Placed placed) {
    InstanceStatus instance = placed.instance();
    DeviceId device = placed.device().id();
    Optional<DeployedFunction> function = functions.find(instance.revision().function());
    if (fleet.drained(placed) && (instance.tier().atLeast(Tier.DEVICE) || instance.loading())) {
      return Optional.of(
          new Act.Unload(
              instance.revision(), device, true, new Why("drained", "its device is drained")));
    }
    if (function.isEmpty()) {
      return instance.tier().atLeast(Tier.DEVICE) || instance.loading()
          ? Optional.of(
              new Act.Unload(
                  instance.revision(),
                  device,
                  true,
                  new Why("deleted", "its function was deleted")))
          : Optional.empty();
    }
    boolean pinned =
        function.get().active().id().equals(instance.revision())
            && rank(placed) < function.get().spec().scaling().min();
    return instance.tier() != Tier.READY || instance.pinned() == pinned
        ? Optional.empty()
        : function
            .get()
            .revision(instance.revision().number())
            .map(revision -> new Act.Pin(revision, device, pinned, baseOf(revision)));
  }

  /// How many ready instances of the revision come before this one: those beyond the minimum may go
  /// when they idle.
  private long rank(Fleet.Placed placed) {
    return fleet.instancesOf(placed.instance().revision()).stream()
        .filter(other -> other.instance().tier() == Tier.READY && !fleet.drained(other))
        .takeWhile(other -> !other.device().id().equals(placed.device().id()))
        .count();
  }

  private List<KeepAlive.Loaded> loaded() {
    return fleet.instances().stream()
        .filter(placed -> !fleet.drained(placed))
        .flatMap(placed ->
            functions
                .find(placed.instance().revision().function())
                .map(function -> loaded(placed, function))
                .stream())
        .toList();
  }

  private KeepAlive.Loaded loaded(Fleet.Placed placed, DeployedFunction function) {
    InstanceStatus instance = placed.instance();
    boolean active =
        function.revision(instance.revision().number()).filter(function::serves).isPresent();
    return new KeepAlive.Loaded(
        placed.device().id(),
        instance.revision(),
        active,
        instance.tier() == Tier.READY,
        instance.busy() || (active && (wishes.held(function) || carriesAdapters(instance))),
        // Those that make up the minimum do not age: it is the others that may go.
        rank(placed) < function.spec().scaling().min()
            ? now
            : SharedCalls.lastUsed(function, instance, fleet),
        function.spec().scaling(),
        wishes.soon(function, Foresight.toStay(function.spec().scaling())));
  }

  /// They go first, each in its own time.
  private static boolean carriesAdapters(InstanceStatus instance) {
    return !instance.adapters().isEmpty();
  }
}
