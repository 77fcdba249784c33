package dev.weft.platform.control;

import dev.weft.autoscaler.scaling.Foresight;
import dev.weft.functions.DurationText;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Scaling;
import dev.weft.functions.instance.Tier;
import dev.weft.functions.instance.Why;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/// Why a function's active revision is to be loaded, if it is.
final class LoadReasons {
  private final Fleet.Snapshot fleet;
  private final ControlRound.Wishes wishes;
  private final boolean exclusive;

  /// Functions of which some revision is ready somewhere.
  private final Set<FunctionName> serving;

  /// @param exclusive whether a device serves one model at a time
  LoadReasons(Fleet.Snapshot fleet, ControlRound.Wishes wishes, boolean exclusive) {
    this.fleet = fleet;
    this.wishes = wishes;
    this.exclusive = exclusive;
    this.serving =
        fleet.instances().stream()
            .map(Fleet.Placed::instance)
            .filter(instance -> instance.tier() == Tier.READY)
            .map(instance -> instance.revision().function())
            .collect(Collectors.toSet());
  }

  /// Of a function that is nowhere.
  Optional<Why> first(DeployedFunction function) {
    if (wishes.held(function)) {
      return Optional.of(new Why("held", "requests wait for it"));
    }
    if (function.spec().scaling().pinned()) {
      return Optional.of(
          new Why(
              "minimum",
              "its minimum of instances is more than zero",
              Map.of("minimum", (double) function.spec().scaling().min())));
    }
    if (wishes.wanted(function.active().id())) {
      return Optional.of(
          new Why("wanted", "it was asked for, or was there before its runtime ended"));
    }
    boolean leaves =
        fleet.instancesOf(function.active().id()).stream()
            .anyMatch(placed -> fleet.drained(placed) && placed.instance().tier() == Tier.READY);
    if (leaves) {
      return Optional.of(new Why("drained", "the device that has it is drained"));
    }
    return serving.contains(function.name())
        ? Optional.of(new Why("replaces", "it replaces a revision that serves"))
        : Optional.empty();
  }

  /// Nobody asks for it yet, and somebody soon will. Of what has never been loaded it is not known
  /// how much room it needs; and a device that is one model's is not taken for a guess.
  Optional<Why> ahead(DeployedFunction function) {
    Duration ahead = Foresight.toCome(function.spec().scaling());
    double probability = wishes.soon(function, ahead);
    if (!Foresight.likely(probability)
        || exclusive
        || function.spec().adapterOf() != null
        || fleet.weightBytes(function.active().id()) == 0) {
      return Optional.empty();
    }
    return Optional.of(
        new Why(
            "foreseen",
            "its next call is likely to come within %s".formatted(DurationText.format(ahead)),
            Map.of("probability", probability)));
  }

  /// One after the other, each on a device of its own. What an adapter needs is its base's.
  Optional<Why> another(DeployedFunction function, List<Fleet.Placed> present) {
    Scaling scaling = function.spec().scaling();
    boolean ready = present.stream().allMatch(placed -> placed.instance().tier() == Tier.READY);
    if (!ready || present.size() >= scaling.max() || function.spec().adapterOf() != null) {
      return Optional.empty();
    }
    if (present.size() < scaling.min()) {
      return Optional.of(
          new Why(
              "minimum",
              "its minimum of instances is %d".formatted(scaling.min()),
              Map.of("instances", (double) present.size(), "minimum", (double) scaling.min())));
    }
    Optional<Why> memory = memoryEnds(present);
    if (memory.isPresent()) {
      return memory;
    }
    return wishes.crowded(function)
        ? Optional.of(
            new Why(
                "crowded",
                "its %d instances cannot take all requests in time".formatted(present.size()),
                Map.of("instances", (double) present.size())))
        : Optional.empty();
  }

  /// What runs on each of its devices is expected to need more KV memory than there is, and it is
  /// among what runs.
  private static Optional<Why> memoryEnds(List<Fleet.Placed> present) {
    if (present.stream().noneMatch(placed -> placed.instance().busy())
        || present.stream().anyMatch(placed -> placed.status().memory().lasts())) {
      return Optional.empty();
    }
    double seconds =
        present.stream()
                .map(placed -> placed.status().memory().kvLastsMillis())
                .filter(Objects::nonNull)
                .mapToLong(Long::longValue)
                .max()
                .orElse(0)
            / 1e3;
    return Optional.of(
        new Why(
            "memory",
            "KV memory where it runs is expected to last %.1f s".formatted(seconds),
            Map.of("instances", (double) present.size(), "kvLastsSeconds", seconds)));
  }
}
