package dev.weft.platform.control;

import dev.weft.functions.Revision;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.functions.instance.Why;
import java.time.Instant;
import java.util.Comparator;
import java.util.stream.Stream;

/// Revisions that share their function's calls, as a canary and the active one do.
final class SharedCalls {
  static final Why WHY = new Why("share", "a part of its function's calls is its own");

  private SharedCalls() {}

  /// A revision with a share is loaded once the active one answers: a function that nobody calls
  /// needs neither, and the first call is not to wait for both.
  static boolean wantsLoad(DeployedFunction function, Revision canary, Fleet.Snapshot fleet) {
    boolean present =
        fleet.instancesOf(canary.id()).stream()
            .filter(placed -> !fleet.drained(placed))
            .map(Fleet.Placed::instance)
            .anyMatch(instance -> instance.tier() == Tier.READY || instance.loading());
    return !present
        && fleet.instancesOf(function.active().id()).stream()
            .anyMatch(placed -> placed.instance().tier() == Tier.READY);
  }

  /// They age together: one that gets few calls would idle first, and be loaded again at once.
  static Instant lastUsed(
      DeployedFunction function, InstanceStatus instance, Fleet.Snapshot fleet) {
    return function.canaries().isEmpty()
        ? instance.lastUsedAt()
        : Stream.concat(Stream.of(function.active()), function.canaries().stream())
            .flatMap(revision -> fleet.instancesOf(revision.id()).stream())
            .map(placed -> placed.instance().lastUsedAt())
            .filter(used -> used.isAfter(instance.lastUsedAt()))
            .max(Comparator.naturalOrder())
            .orElse(instance.lastUsedAt());
  }
}
