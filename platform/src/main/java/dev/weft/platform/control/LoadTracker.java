package dev.weft.platform.control;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.Tier;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Remembers which loads were asked for and how they ended, so that each is asked for once and a
/// failed one is not repeated at once. **thread**: any.
///
/// A load that took its runtime down is tried again at once, since the runtime may have died of
/// something else; after [#DEATHS_TOLERATED] in a row it counts as the model's own failure.
///
/// What one device can never load another may: where there are others, the device is passed by from
/// then on, and the revision has not failed.
@Singleton
public final class LoadTracker {
  static final int DEATHS_TOLERATED = 2;

  /// Codes of failures that end when others finish.
  private static final Set<String> PASSING =
      Stream.of(Rejection.Code.NO_MEMORY_NOW, Rejection.Code.BUSY, Rejection.Code.DRAINING)
          .map(code -> code.name().toLowerCase(Locale.ROOT))
          .collect(Collectors.toUnmodifiableSet());

  private static final Duration UNSEEN_LIMIT = Duration.ofSeconds(10);
  private static final Duration FIRST_RETRY = Duration.ofSeconds(1);
  private static final Duration LAST_RETRY = Duration.ofMinutes(1);

  private final Map<RevisionId, Attempt> attempts = new HashMap<>();
  private final Map<RevisionId, Failed> failures = new HashMap<>();
  private final Map<RevisionId, Integer> deaths = new HashMap<>();
  private final Map<RevisionId, Set<DeviceId>> refusals = new HashMap<>();
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();

  /// A load that was asked for.
  ///
  /// @param others devices that could be asked instead
  record Attempt(
      DeviceId device,
      String runtimeId,
      long versionBefore,
      Instant startedAt,
      Set<DeviceId> others) {}

  /// A load that failed, and when it may be tried again; `null` is never by itself.
  public record Failed(Failure failure, int count, @Nullable Instant retryAt) {
    public boolean blocks(Instant now) {
      return retryAt == null || now.isBefore(retryAt);
    }

    /// Whether it comes right by itself, so that callers are better held than turned away.
    public boolean passes() {
      return PASSING.contains(failure.code());
    }
  }

  /// Notes that a load of `revision` is being asked for.
  ///
  /// @param others devices of which the same could be asked
  synchronized void begin(
      RevisionId revision, DeviceStatus status, Set<DeviceId> others, Instant now) {
    attempts.put(
        revision, new Attempt(status.device(), status.runtimeId(), status.version(), now, others));
  }

  /// Notes that the load that was asked for did not begin; it may be asked for again.
  synchronized void abandon(RevisionId revision) {
    attempts.remove(revision);
  }

  /// Notes that a load failed, or was refused.
  synchronized void fail(RevisionId revision, Failure failure, Instant now) {
    Attempt attempt = attempts.remove(revision);
    if (attempt != null && failure.permanent() && othersRemain(revision, attempt)) {
      listeners.forEach(Runnable::run);
      return;
    }
    Failed before = failures.get(revision);
    int count = before == null ? 1 : before.count() + 1;
    failures.put(
        revision,
        new Failed(failure, count, failure.permanent() ? null : now.plus(backoff(count))));
    listeners.forEach(Runnable::run);
  }

  private boolean othersRemain(RevisionId revision, Attempt attempt) {
    Set<DeviceId> refusing = refusals.computeIfAbsent(revision, _ -> new HashSet<>());
    refusing.add(attempt.device());
    return !refusing.containsAll(attempt.others());
  }

  /// Whether the device can never load the revision, as far as is known.
  synchronized boolean refuses(RevisionId revision, DeviceId device) {
    return refusals.getOrDefault(revision, Set.of()).contains(device);
  }

  /// Calls `listener` when a load failed, under this object's lock: it must only note that.
  public void onFailure(Runnable listener) {
    listeners.add(listener);
  }

  /// Forgets failures, because someone wants it tried again.
  public synchronized void forgive(RevisionId revision) {
    refusals.remove(revision);
    succeeded(revision);
  }

  private void succeeded(RevisionId revision) {
    failures.remove(revision);
    deaths.remove(revision);
  }

  /// Why the last loads failed, of all revisions of which [#failure] says so.
  public synchronized Map<RevisionId, Failed> failures() {
    Map<RevisionId, Failed> known = new HashMap<>(failures);
    known.keySet().removeAll(attempts.keySet());
    return known;
  }

  /// Takes what another process knows of failures instead of what is known here.
  public synchronized void learn(Map<RevisionId, Failed> known) {
    failures.clear();
    failures.putAll(known);
    listeners.forEach(Runnable::run);
  }

  synchronized boolean underWay(RevisionId revision) {
    return attempts.containsKey(revision);
  }

  /// Whether a load was asked of the device and has not ended.
  synchronized boolean underWay(DeviceId device) {
    return attempts.values().stream().anyMatch(attempt -> attempt.device().equals(device));
  }

  /// Why the last load failed, unless one has succeeded or been asked for since.
  public synchronized Optional<Failed> failure(RevisionId revision) {
    return attempts.containsKey(revision)
        ? Optional.empty()
        : Optional.ofNullable(failures.get(revision));
  }

  /// Compares what was asked for with what runtimes publish.
  synchronized void observe(Fleet.Snapshot fleet, Instant now) {
    for (RevisionId revision : Map.copyOf(attempts).keySet()) {
      Attempt attempt = Objects.requireNonNull(attempts.get(revision));
      DeviceStatus status =
          fleet
              .find(attempt.device())
              .filter(Fleet.Device::reachable)
              .map(Fleet.Device::status)
              .orElse(null);
      if (status == null) {
        // Away, or only suspected to be: which of the two shows when it is back.
        if (now.isAfter(attempt.startedAt().plus(UNSEEN_LIMIT))) {
          attempts.remove(revision);
        }
      } else if (!status.runtimeId().equals(attempt.runtimeId())) {
        died(revision, now);
      } else if (status.version() > attempt.versionBefore()) {
        Optional<InstanceStatus> instance =
            status.instances().stream()
                .filter(candidate -> candidate.revision().equals(revision))
                .findFirst();
        observe(revision, attempt, instance.orElse(null), now);
      }
    }
  }

  private void observe(
      RevisionId revision, Attempt attempt, @Nullable InstanceStatus instance, Instant now) {
    Failure failure = instance == null ? null : instance.failure();
    if (instance != null && instance.tier() == Tier.READY) {
      attempts.remove(revision);
      succeeded(revision);
    } else if (instance != null && instance.loading()) {
      return;
    } else if (failure != null) {
      fail(revision, failure, now);
    } else if (now.isAfter(attempt.startedAt().plus(UNSEEN_LIMIT))) {
      attempts.remove(revision);
    }
  }

  private void died(RevisionId revision, Instant now) {
    attempts.remove(revision);
    int count = deaths.merge(revision, 1, Integer::sum);
    if (count > DEATHS_TOLERATED) {
      fail(
          revision,
          new Failure(
              "runtime_died",
              "the runtime ended %d times in a row while it loaded this model".formatted(count),
              true),
          now);
    }
  }

  private static Duration backoff(int count) {
    Duration pause = FIRST_RETRY.multipliedBy(1L << Math.min(count - 1, 10));
    return pause.compareTo(LAST_RETRY) < 0 ? pause : LAST_RETRY;
  }
}
