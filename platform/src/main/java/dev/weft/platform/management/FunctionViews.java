package dev.weft.platform.management;

import dev.weft.functions.Model;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.LoadTracker;
import dev.weft.platform.management.ManagementApi.Condition;
import dev.weft.platform.management.ManagementApi.DeviceView;
import dev.weft.platform.management.ManagementApi.FunctionStatus;
import dev.weft.platform.management.ManagementApi.FunctionView;
import dev.weft.platform.management.ManagementApi.InstanceView;
import dev.weft.platform.management.ManagementApi.StatusEvent;
import jakarta.inject.Singleton;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Puts together what is declared and what runs, for people and for the `weft` command.
@Singleton
public final class FunctionViews {
  private final FunctionDirectory directory;
  private final Fleet fleet;
  private final LoadTracker loads;
  private final Demand demand;

  public FunctionViews(FunctionDirectory directory, Fleet fleet, LoadTracker loads, Demand demand) {
    this.directory = directory;
    this.fleet = fleet;
    this.loads = loads;
    this.demand = demand;
  }

  public StatusEvent everything() {
    return new StatusEvent(functions(), devices());
  }

  public List<FunctionView> functions() {
    return directory.snapshot().sorted().stream().map(this::view).toList();
  }

  public List<DeviceView> devices() {
    return fleet.snapshot().sorted().stream()
        .map(device ->
            new DeviceView(
                device.id(), device.reachable() ? device.status() : null, device.absence()))
        .toList();
  }

  public FunctionView view(DeployedFunction function) {
    Fleet.Snapshot seen = fleet.snapshot();
    List<Fleet.Placed> all =
        seen.instances().stream()
            .filter(placed -> placed.instance().revision().function().equals(function.name()))
            .toList();
    return new FunctionView(
        function.name(),
        function.labels(),
        kind(function, all),
        function.active().id(),
        function.revisions().size(),
        function.spec(),
        function.createdAt(),
        function.updatedAt(),
        status(function, seen, all));
  }

  private static Model.@Nullable Kind kind(DeployedFunction function, List<Fleet.Placed> all) {
    Model.Kind declared = function.spec().model().kind();
    return declared != null
        ? declared
        : all.stream()
            .map(placed -> placed.instance().kind())
            .filter(Objects::nonNull)
            .findFirst()
            .orElse(null);
  }

  private FunctionStatus status(
      DeployedFunction function, Fleet.Snapshot seen, List<Fleet.Placed> all) {
    RevisionId active = function.active().id();
    Optional<InstanceStatus> best =
        all.stream()
            .map(Fleet.Placed::instance)
            .filter(instance -> instance.revision().equals(active))
            .max(Comparator.comparing(InstanceStatus::tier));
    LoadProgress progress = best.map(InstanceStatus::progress).orElse(null);
    Tier tier = best.map(InstanceStatus::tier).orElse(Tier.REMOTE);
    Failure failure =
        tier == Tier.READY || progress != null
            ? null
            : loads
                .failure(active)
                .map(LoadTracker.Failed::failure)
                .or(() -> best.map(InstanceStatus::failure))
                .orElse(null);
    boolean previousServes =
        all.stream().anyMatch(placed -> placed.instance().tier() == Tier.READY);
    Condition loaded = loaded(tier, progress, failure);
    return new FunctionStatus(
        List.of(ready(loaded, failure, previousServes, seen), loaded),
        tier,
        progress,
        failure,
        demand.held(function.name()),
        all.stream().map(FunctionViews::instance).toList());
  }

  /// Whether a call will be answered, if need be after a load.
  private static Condition ready(
      Condition loaded, @Nullable Failure failure, boolean previousServes, Fleet.Snapshot seen) {
    if (loaded.status() == Condition.Status.TRUE) {
      return new Condition(Condition.READY, Condition.Status.TRUE, "Serving", "it answers at once");
    }
    if (previousServes) {
      return new Condition(
          Condition.READY,
          Condition.Status.TRUE,
          "PreviousRevisionServes",
          "an earlier revision answers until this one is loaded");
    }
    if (failure != null) {
      return new Condition(
          Condition.READY, Condition.Status.FALSE, "LoadFailed", failure.message());
    }
    if (seen.devices().values().stream().noneMatch(Fleet.Device::serving)) {
      return new Condition(Condition.READY, Condition.Status.FALSE, "NoDevice", absences(seen));
    }
    return loaded.reason().equals("Loading")
        ? new Condition(Condition.READY, Condition.Status.TRUE, "Loading", loaded.message())
        : new Condition(
            Condition.READY, Condition.Status.TRUE, "ScaledToZero", "the first call loads it");
  }

  private static Condition loaded(
      Tier tier, @Nullable LoadProgress progress, @Nullable Failure failure) {
    if (tier == Tier.READY) {
      return new Condition(
          Condition.LOADED, Condition.Status.TRUE, "Serving", "an instance answers");
    }
    if (progress != null) {
      return new Condition(Condition.LOADED, Condition.Status.FALSE, "Loading", progress.detail());
    }
    if (failure != null) {
      return new Condition(
          Condition.LOADED, Condition.Status.FALSE, "LoadFailed", failure.message());
    }
    return new Condition(
        Condition.LOADED, Condition.Status.FALSE, "ScaledToZero", "nobody calls it");
  }

  private static String absences(Fleet.Snapshot seen) {
    return String.join(
        "; ",
        seen.sorted().stream()
            .map(device ->
                "%s: %s"
                    .formatted(
                        device.id(), Objects.requireNonNullElse(device.absence(), "not ready")))
            .toList());
  }

  private static InstanceView instance(Fleet.Placed placed) {
    InstanceStatus instance = placed.instance();
    return new InstanceView(
        placed.device().id(),
        instance.revision(),
        instance.tier(),
        instance.pinned(),
        instance.runningRequests(),
        instance.waitingRequests(),
        instance.weightBytes(),
        instance.loadCount(),
        instance.lastUsedAt(),
        instance.workers(),
        instance.adapters());
  }
}
