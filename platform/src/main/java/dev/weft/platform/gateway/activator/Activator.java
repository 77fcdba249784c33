package dev.weft.platform.gateway.activator;

import dev.weft.autoscaler.admission.AskAgain;
import dev.weft.autoscaler.scaling.HoldDecision;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.LoadTracker;
import dev.weft.platform.gateway.routing.InstancePicker;
import dev.weft.platform.gateway.routing.Target;
import dev.weft.platform.http.ApiError;
import dev.weft.platform.http.ApiException;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// Gives each request a ready instance, at once or when there is one. **thread**: any; what is held
/// lives on one event loop of its own.
@Singleton
public final class Activator {
  private static final Duration SOON = Duration.ofSeconds(1);

  private final Vertx vertx;
  private final FunctionDirectory directory;
  private final InstancePicker picker;
  private final Demand demand;
  private final Fleet fleet;
  private final LoadTracker loads;
  private final Context context;
  private final Map<FunctionName, Set<Waiter>> waiters = new HashMap<>();
  private final AtomicBoolean lookScheduled = new AtomicBoolean();
  private volatile boolean closed;

  public Activator(
      Vertx vertx,
      FunctionDirectory directory,
      InstancePicker picker,
      Demand demand,
      Fleet fleet,
      LoadTracker loads) {
    this.vertx = vertx;
    this.directory = directory;
    this.picker = picker;
    this.demand = demand;
    this.fleet = fleet;
    this.loads = loads;
    this.context = vertx.getOrCreateContext();
    fleet.onChange(this::lookSoon);
    loads.onFailure(this::lookSoon);
    directory.onChange(_ -> lookSoon());
  }

  /// What a request wants.
  ///
  /// @param since when its wait budget began
  /// @param only the one revision that will do; `null` when any of the function's does
  public record Wish(DeployedFunction function, Instant since, @Nullable RevisionId only) {}

  /// A request that waits. It is counted in [Demand] from the moment it is held to its end.
  public static final class Waiter {
    private final Wish wish;
    private final Promise<Target> promise = Promise.promise();
    private long timer = -1;

    private Waiter(Wish wish) {
      this.wish = wish;
    }

    private FunctionName name() {
      return wish.function().name();
    }

    /// Completes with an instance, or fails with [ApiException]; in the activator's thread.
    public Future<Target> target() {
      return promise.future();
    }
  }

  /// What a request gets: an instance, or a place among those that wait.
  public sealed interface Admission {
    record Ready(Target target) implements Admission {}

    record Held(Waiter waiter) implements Admission {}
  }

  /// Admits a request; throws [ApiException] when it is turned away.
  public Admission admit(Wish wish) {
    DeployedFunction function = wish.function();
    if (closed) {
      throw new ApiException(
          ApiError.unavailable("shutting_down", "the platform is shutting down", SOON));
    }
    Optional<Target> ready = pick(function, wish.only());
    if (ready.isPresent()) {
      return new Admission.Ready(ready.get());
    }
    Instant now = Instant.now();
    int before = demand.held(function.name());
    Instant until =
        switch (decide(function, wish, before, now)) {
          case Verdict.Wait(var end) -> end;
          case Verdict.TurnAway(var error) -> throw new ApiException(error);
        };
    int limit = function.spec().limits().maxHeldRequests();
    if (!demand.tryHold(function.name(), limit)) {
      throw new ApiException(tooMany(function, SOON));
    }
    Waiter waiter = new Waiter(wish);
    context.runOnContext(_ -> hold(waiter, until));
    return new Admission.Held(waiter);
  }

  /// An instance that is ready now, on none of these devices.
  public Optional<Target> elsewhere(DeployedFunction function, Set<DeviceId> tried) {
    return picker.pick(function, tried);
  }

  /// After which pause devices that refused a request, since it would have been late or made others
  /// late, are asked again; empty where it waits for its turn on one of them. Who is given a pause
  /// calls [#asked] at its end.
  ///
  /// @param waited since the request came, without its cold start
  /// @param hopeless whether it would be late on each of them, were it idle
  public Optional<Duration> askAgain(DeployedFunction function, Duration waited, boolean hopeless) {
    return AskAgain.decide(function.spec().serviceLevel(), waited, hopeless)
                instanceof AskAgain.After(var pause)
            && demand.tryQueue(function.name(), function.spec().limits().maxHeldRequests())
        ? Optional.of(pause)
        : Optional.empty();
  }

  /// A request is asked about again.
  public void asked(DeployedFunction function) {
    demand.leaveQueue(function.name());
  }

  /// Lets go of a request whose client left. The load goes on.
  public void leave(Waiter waiter) {
    context.runOnContext(_ -> settle(waiter, () -> waiter.promise.tryFail("the client left")));
  }

  /// Turns away everybody who waits, and everybody who comes.
  public void close() {
    closed = true;
    lookSoon();
  }

  private Optional<Target> pick(DeployedFunction function, @Nullable RevisionId only) {
    return only == null
        ? picker.pick(function, Set.of())
        : function.revision(only.number()).flatMap(picker::pick);
  }

  private void hold(Waiter waiter, Instant until) {
    waiters.computeIfAbsent(waiter.name(), _ -> new LinkedHashSet<>()).add(waiter);
    long millis = Math.max(1, Duration.between(Instant.now(), until).toMillis() + 1);
    waiter.timer = vertx.setTimer(millis, _ -> context.runOnContext(_ -> look(waiter)));
    look(waiter);
  }

  /// Any number of changes lead to one look at all who wait.
  private void lookSoon() {
    if (lookScheduled.compareAndSet(false, true)) {
      context.runOnContext(_ -> {
        lookScheduled.set(false);
        waiters.values().stream().flatMap(Set::stream).toList().forEach(this::look);
      });
    }
  }

  private void look(Waiter waiter) {
    if (waiter.promise.future().isComplete()) {
      return;
    }
    if (closed) {
      fail(waiter, ApiError.unavailable("shutting_down", "the platform is shutting down", SOON));
      return;
    }
    Optional<DeployedFunction> function = directory.snapshot().find(waiter.name());
    if (function.isEmpty()) {
      fail(
          waiter,
          ApiError.notFound(
              "model_not_found", "the function '%s' was deleted".formatted(waiter.name())));
      return;
    }
    Optional<Target> ready = pick(function.get(), waiter.wish.only());
    if (ready.isPresent()) {
      settle(waiter, () -> waiter.promise.tryComplete(ready.get()));
      return;
    }
    switch (decide(function.get(), waiter.wish, 0, Instant.now())) {
      case Verdict.Wait _ -> {}
      case Verdict.TurnAway(var error) -> fail(waiter, error);
    }
  }

  private void fail(Waiter waiter, ApiError error) {
    settle(waiter, () -> waiter.promise.tryFail(new ApiException(error)));
  }

  private void settle(Waiter waiter, Runnable completion) {
    Set<Waiter> others = waiters.get(waiter.name());
    if (others == null || !others.remove(waiter)) {
      return;
    }
    if (others.isEmpty()) {
      waiters.remove(waiter.name());
    }
    vertx.cancelTimer(waiter.timer);
    demand.release(waiter.name());
    completion.run();
  }

  private sealed interface Verdict {
    record Wait(Instant until) implements Verdict {}

    record TurnAway(ApiError error) implements Verdict {}
  }

  private Verdict decide(DeployedFunction function, Wish wish, int heldBefore, Instant now) {
    RevisionId revision = function.active().id();
    if (wish.only() != null && !wish.only().equals(revision)) {
      return new Verdict.TurnAway(
          ApiError.broken(
              502,
              "revision_replaced",
              "the runtime of %s ended, and %s has taken its place"
                  .formatted(wish.only(), revision)));
    }
    Instant since = wish.since();
    Optional<LoadTracker.Failed> failed =
        loads.failure(revision).filter(failure -> failure.blocks(now) && !failure.passes());
    Instant retryAt = failed.map(LoadTracker.Failed::retryAt).orElse(null);
    if (failed.isPresent() && retryAt != null) {
      return new Verdict.TurnAway(
          loadFailed(function, failed.get().failure(), Duration.between(now, retryAt)));
    }
    HoldDecision.Caller caller =
        new HoldDecision.Caller(
            since, heldBefore, function.spec().scaling(), function.spec().limits());
    LoadProgress progress = progress(revision);
    HoldDecision.Load load =
        new HoldDecision.Load(
            since,
            progress == null ? 0 : progress.bytesDone(),
            progress == null ? 0 : progress.bytesTotal(),
            failed.map(LoadTracker.Failed::failure));
    return switch (HoldDecision.decide(caller, load, now)) {
      case HoldDecision.Hold(var until) -> new Verdict.Wait(until);
      case HoldDecision.Expired(var retryAfter, var reason) ->
          new Verdict.TurnAway(
              ApiError.unavailable("model_loading", expired(function, reason), retryAfter)
                  .withLoading(ApiError.Loading.of(progress)));
      case HoldDecision.TooMany(var retryAfter, _) ->
          new Verdict.TurnAway(tooMany(function, retryAfter));
      case HoldDecision.Failed(var failure) ->
          new Verdict.TurnAway(loadFailed(function, failure, null));
    };
  }

  /// Says what stands in the way when it is not a load.
  private String expired(DeployedFunction function, String reason) {
    List<String> absences = new ArrayList<>();
    for (Fleet.Device device : fleet.snapshot().sorted()) {
      if (!device.serving()) {
        absences.add(
            "device %s: %s"
                .formatted(device.id(), Objects.requireNonNullElse(device.absence(), "not ready")));
      }
    }
    Optional<Failure> passing =
        loads.failure(function.active().id()).map(LoadTracker.Failed::failure);
    passing.ifPresent(failure -> absences.add(failure.message()));
    return absences.isEmpty()
        ? "'%s': %s".formatted(function.name(), reason)
        : "'%s': %s (%s)".formatted(function.name(), reason, String.join("; ", absences));
  }

  private @Nullable LoadProgress progress(RevisionId revision) {
    return fleet.instancesOf(revision).stream()
        .map(Fleet.Placed::instance)
        .map(InstanceStatus::progress)
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  private static ApiError loadFailed(
      DeployedFunction function, Failure failure, @Nullable Duration retryAfter) {
    String message = "'%s' could not be loaded: %s".formatted(function.name(), failure.message());
    return retryAfter == null
        ? ApiError.broken(503, "model_load_failed", message)
        : ApiError.unavailable("model_load_failed", message, retryAfter);
  }

  private static ApiError tooMany(DeployedFunction function, Duration retryAfter) {
    return ApiError.overloaded(
        "too_many_held_requests",
        "%d requests wait for '%s' to load, the most that may"
            .formatted(function.spec().limits().maxHeldRequests(), function.name()),
        retryAfter);
  }
}
