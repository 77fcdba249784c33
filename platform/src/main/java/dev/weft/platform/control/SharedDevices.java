package dev.weft.platform.control;

import dev.weft.autoscaler.placement.Room;
import dev.weft.autoscaler.placement.Routing;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import java.util.List;
import java.util.Optional;

/// Which device a model gets where they are shared: one on which it fits, and of several the one
/// that [Routing] gives it, whose disk may have its weights; else one on which others go for it
/// ([Room]); else one whose runtime will say why not. What instances compute in is not counted as
/// theirs.
record SharedDevices(FunctionDirectory.Snapshot functions, Fleet.Snapshot fleet) {
  /// What looks for a device.
  ///
  /// @param bytes of its weights
  /// @param displaces whether busy instances may go for it
  record Newcomer(long bytes, int priority, boolean displaces) {}

  /// Gives a device that may load the revision.
  Optional<ExclusiveDevices.Place> take(
      Routing.Request request, List<DeviceStatus> devices, Newcomer newcomer) {
    List<DeviceStatus> allowed =
        devices.stream()
            .filter(status -> Routing.decide(request, List.of(status)) instanceof Routing.Loads)
            .toList();
    Room.Outcome room =
        Room.decide(
            newcomer.bytes(), newcomer.priority(), allowed.stream().map(this::place).toList());
    if (room instanceof Room.Displaces(var device, var victims, _) && newcomer.displaces()) {
      return Optional.of(new ExclusiveDevices.Place(device, victims));
    }
    List<DeviceStatus> roomy =
        room instanceof Room.Fits(var fitting)
            ? allowed.stream().filter(status -> fitting.contains(status.device())).toList()
            : allowed;
    return Routing.decide(request, roomy) instanceof Routing.Loads(var device, _)
        ? Optional.of(new ExclusiveDevices.Place(device, List.of()))
        : Optional.empty();
  }

  private Room.Place place(DeviceStatus status) {
    return new Room.Place(
        status.device(),
        status.memory().freeBytes(),
        status.instances().stream()
            .filter(instance -> instance.tier().atLeast(Tier.DEVICE) || instance.loading())
            .map(instance -> neighbour(instance, status))
            .toList());
  }

  private Room.Neighbour neighbour(InstanceStatus instance, DeviceStatus status) {
    boolean kept = instance.pinned() || instance.loading();
    boolean busy = instance.busy() || !instance.adapters().isEmpty();
    return new Room.Neighbour(
        instance.revision(),
        instance.weightBytes() + instance.blocks().chunks() * status.memory().chunks().bytes(),
        instance.runningRequests() + instance.waitingRequests(),
        !busy && !kept,
        kept,
        functions
            .find(instance.revision().function())
            .map(function -> function.spec().serviceLevel().priority())
            .orElse(1),
        elsewhere(instance, status));
  }

  private boolean elsewhere(InstanceStatus instance, DeviceStatus status) {
    return fleet.instancesOf(instance.revision()).stream()
        .filter(placed -> !placed.device().id().equals(status.device()))
        .filter(placed -> !fleet.drained(placed))
        .anyMatch(placed -> placed.instance().tier() == Tier.READY);
  }
}
