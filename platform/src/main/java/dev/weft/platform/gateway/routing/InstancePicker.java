package dev.weft.platform.gateway.routing;

import dev.weft.autoscaler.placement.Routing;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.Fleet;
import jakarta.inject.Singleton;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/// Picks a ready instance for a function. While the active revision is being loaded, one that
/// served before goes on serving, so a deploy does not interrupt callers. **thread**: any.
@Singleton
public final class InstancePicker {
  private static final int PERCENT = 100;

  private final Fleet fleet;

  public InstancePicker(Fleet fleet) {
    this.fleet = fleet;
  }

  /// A ready instance, of the active revision if there is one, or of one that gets a share of the
  /// calls; nothing when none is ready.
  ///
  /// @param tried devices that are out of the question
  public Optional<Target> pick(DeployedFunction function, Set<DeviceId> tried) {
    Revision drawn = function.drawn(ThreadLocalRandom.current().nextInt(PERCENT));
    Optional<Target> found = pick(drawn, tried);
    if (found.isEmpty() && drawn.id().number() != function.activeNumber()) {
      found = pick(function.active(), tried);
    }
    return found.isPresent() ? found : earlier(function, tried);
  }

  private Optional<Target> earlier(DeployedFunction function, Set<DeviceId> tried) {
    return function.revisions().stream()
        .filter(revision -> revision.id().number() != function.activeNumber())
        .sorted(Comparator.comparingInt((Revision revision) -> revision.id().number()).reversed())
        .flatMap(revision -> pick(revision, tried).stream())
        .findFirst();
  }

  /// A ready instance of one revision, and of no other.
  public Optional<Target> pick(Revision revision) {
    return pick(revision, Set.of());
  }

  /// Devices without an instance cannot have a ready one: nobody has to be asked about them.
  private Optional<Target> pick(Revision revision, Set<DeviceId> tried) {
    List<Fleet.Placed> placed = fleet.instancesOf(revision.id());
    if (placed.isEmpty()) {
      return Optional.empty();
    }
    var request =
        new Routing.Request(
            revision.id(), revision.spec().quantization(), revision.spec().devices(), 0, 0, tried);
    return switch (Routing.decide(request, placed.stream().map(Fleet.Placed::status).toList())) {
      case Routing.Ready(var device, var why) ->
          placed.stream()
              .map(Fleet.Placed::device)
              .filter(candidate -> candidate.id().equals(device))
              .findFirst()
              .map(Fleet.Device::address)
              .map(address -> new Target(revision.id(), device, address, why));
      case Routing.Joins _, Routing.Loads _, Routing.Nowhere _ -> Optional.empty();
    };
  }
}
