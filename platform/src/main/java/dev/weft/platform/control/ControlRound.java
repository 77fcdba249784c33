package dev.weft.platform.control;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// One round of the control loop: from what is deployed, what runs and what is waited for, to the
/// acts that bring them together. Pure: it reads its arguments and returns a plan with reasons.
final class ControlRound {
  private final FunctionDirectory.Snapshot functions;
  private final Fleet.Snapshot fleet;
  private final Wishes wishes;
  private final Instant now;

  ControlRound(
      FunctionDirectory.Snapshot functions, Fleet.Snapshot fleet, Wishes wishes, Instant now) {
    this.functions = functions;
    this.fleet = fleet;
    this.wishes = wishes;
    this.now = now;
  }

  /// What the round is to bring about beside what specs say.
  interface Wishes {
    /// Whether requests wait for this function.
    boolean held(DeployedFunction function);

    /// Whether this revision is to be loaded without a request: warmed, or lost with its runtime.
    boolean wanted(RevisionId revision);

    /// Whether a load was asked for and has not ended.
    boolean underWay(RevisionId revision);

    /// Whether a failure says not to try now.
    boolean blocked(RevisionId revision);
  }

  /// Something to be done, and why.
  sealed interface Act {
    record Load(Revision revision, boolean pinned, Fleet.Device device, String reason)
        implements Act {}

    record Unload(RevisionId revision, Fleet.Device device, String reason) implements Act {}
  }

  List<Act> decide() {
    List<Act> acts = new ArrayList<>();
    functions.sorted().forEach(function -> load(function).ifPresent(acts::add));
    fleet.instances().forEach(placed -> unload(placed).ifPresent(acts::add));
    return acts;
  }

  private Optional<Act> load(DeployedFunction function) {
    Revision active = function.active();
    Optional<String> reason = reasonToLoad(function);
    boolean present =
        fleet.instancesOf(active.id()).stream()
            .map(Fleet.Placed::instance)
            .anyMatch(instance -> instance.tier() == Tier.READY || instance.progress() != null);
    if (reason.isEmpty()
        || present
        || wishes.underWay(active.id())
        || wishes.blocked(active.id())) {
      return Optional.empty();
    }
    return roomiest(active)
        .map(device ->
            new Act.Load(active, function.spec().scaling().pinned(), device, reason.get()));
  }

  private Optional<String> reasonToLoad(DeployedFunction function) {
    if (wishes.held(function)) {
      return Optional.of("requests wait for it");
    }
    if (function.spec().scaling().pinned()) {
      return Optional.of("its minimum of instances is more than zero");
    }
    if (wishes.wanted(function.active().id())) {
      return Optional.of("it was warm");
    }
    boolean previousServes =
        fleet.instances().stream()
            .map(Fleet.Placed::instance)
            .anyMatch(instance ->
                instance.revision().function().equals(function.name())
                    && instance.tier() == Tier.READY);
    return previousServes ? Optional.of("it replaces a revision that serves") : Optional.empty();
  }

  /// The serving device, of a class that the function allows, with the most free memory.
  private Optional<Fleet.Device> roomiest(Revision revision) {
    Set<DeviceClass> allowed = revision.spec().devices();
    return fleet.sorted().stream()
        .filter(Fleet.Device::serving)
        .filter(device -> status(device).map(s -> allowed.contains(s.deviceClass())).orElse(false))
        .max(
            Comparator.comparingLong(
                device -> status(device).map(s -> s.memory().freeBytes()).orElse(0L)));
  }

  private Optional<Act> unload(Fleet.Placed placed) {
    InstanceStatus instance = placed.instance();
    if (!instance.tier().atLeast(Tier.DEVICE) || instance.progress() != null) {
      return Optional.empty();
    }
    return reasonToUnload(instance)
        .map(reason -> new Act.Unload(instance.revision(), placed.device(), reason));
  }

  private Optional<String> reasonToUnload(InstanceStatus instance) {
    Optional<DeployedFunction> function = functions.find(instance.revision().function());
    if (function.isEmpty()) {
      return Optional.of("its function was deleted");
    }
    if (instance.busy()) {
      return Optional.empty();
    }
    if (!function.get().active().id().equals(instance.revision())) {
      return serves(function.get().active().id())
          ? Optional.of("another revision has taken its place")
          : idle(instance, function.get());
    }
    if (function.get().spec().scaling().pinned() || wishes.held(function.get())) {
      return Optional.empty();
    }
    return idle(instance, function.get());
  }

  private Optional<String> idle(InstanceStatus instance, DeployedFunction function) {
    Duration keepAlive = function.spec().scaling().keepAlive();
    return now.isBefore(instance.lastUsedAt().plus(keepAlive))
        ? Optional.empty()
        : Optional.of("nobody called it for " + keepAlive);
  }

  private boolean serves(RevisionId revision) {
    return fleet.instancesOf(revision).stream()
        .anyMatch(placed -> placed.instance().tier() == Tier.READY);
  }

  /// The instances of a device that may go for others, least recently used first.
  static List<InstanceStatus> evictable(
      DeviceStatus status, FunctionDirectory.Snapshot functions, Wishes wishes) {
    return status.instances().stream()
        .filter(instance -> instance.tier().atLeast(Tier.DEVICE) && instance.progress() == null)
        .filter(instance -> !instance.busy() && !instance.pinned())
        .filter(instance ->
            functions
                .find(instance.revision().function())
                .map(function -> mayGo(function, instance, wishes))
                .orElse(true))
        .sorted(Comparator.comparing(InstanceStatus::lastUsedAt))
        .toList();
  }

  private static boolean mayGo(DeployedFunction function, InstanceStatus instance, Wishes wishes) {
    boolean active = function.active().id().equals(instance.revision());
    return !active || !(function.spec().scaling().pinned() || wishes.held(function));
  }

  private static Optional<DeviceStatus> status(Fleet.Device device) {
    return Optional.ofNullable(device.status());
  }
}
