package dev.weft.platform.control;

import dev.weft.autoscaler.scaling.ArrivalHistory;
import dev.weft.functions.FunctionName;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

/// Which functions somebody waits for: the number of requests held for an instance, which have
/// instances that could not take a request in time, and when each is likely to be called next. What
/// other gateways report counts as long as they go on reporting. **thread**: any.
@Singleton
public final class Demand {
  /// So long after a request found no room a function is taken to need more.
  private static final Duration CROWDED_FOR = Duration.ofSeconds(10);

  /// A gateway that has not reported for so long is not there any more.
  private static final Duration REPORT_COUNTS_FOR = Duration.ofSeconds(5);

  private final Map<String, Report> reports = new ConcurrentHashMap<>();
  private final Map<FunctionName, Held> held = new ConcurrentHashMap<>();
  private final Map<FunctionName, Instant> crowded = new ConcurrentHashMap<>();
  private final Map<FunctionName, ArrivalHistory> arrivals = new ConcurrentHashMap<>();
  private final Set<FunctionName> called = ConcurrentHashMap.newKeySet();
  private final Set<FunctionName> arrived = ConcurrentHashMap.newKeySet();
  private final Map<FunctionName, Integer> queued = new ConcurrentHashMap<>();
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();

  /// Requests that are held here, and since when there have been any.
  private record Held(int count, Instant since) {}

  /// What another gateway said last.
  private record Report(Map<FunctionName, Integer> held, Instant at) {}

  /// Takes what another gateway holds, instead of what it held before, and what was called there
  /// since.
  public void report(
      String gateway,
      Map<FunctionName, Integer> held,
      Set<FunctionName> crowded,
      Set<FunctionName> called,
      Instant now) {
    called.forEach(function -> arrived(function, now));
    reports.values().removeIf(report -> now.isAfter(report.at().plus(REPORT_COUNTS_FOR)));
    reports.put(gateway, new Report(Map.copyOf(held), now));
    crowded.forEach(function -> this.crowded.put(function, now));
    if (!held.isEmpty() || !crowded.isEmpty()) {
      listeners.forEach(Runnable::run);
    }
  }

  /// Whether a request is held for the function, here or at another gateway.
  public boolean waitedFor(FunctionName function, Instant now) {
    return held(function) > 0
        || reports.values().stream()
            .anyMatch(report ->
                report.held().containsKey(function)
                    && !now.isAfter(report.at().plus(REPORT_COUNTS_FOR)));
  }

  /// The numbers of requests that are held here.
  public Map<FunctionName, Integer> heldHere() {
    return held.entrySet().stream()
        .collect(
            Collectors.toUnmodifiableMap(Map.Entry::getKey, entry -> entry.getValue().count()));
  }

  /// Since when requests are held for the function without a pause; of those at another gateway,
  /// since it said so last.
  public Optional<Instant> heldSince(FunctionName function) {
    Held here = held.get(function);
    return here != null
        ? Optional.of(here.since())
        : reports.values().stream()
            .filter(report -> report.held().containsKey(function))
            .map(Report::at)
            .min(Comparator.naturalOrder());
  }

  /// The functions of which a request found no room a moment ago.
  public Set<FunctionName> crowdedHere(Instant now) {
    return crowded.keySet().stream()
        .filter(function -> crowded(function, now))
        .collect(Collectors.toUnmodifiableSet());
  }

  /// A request of the function came here.
  public void called(FunctionName function, Instant now) {
    called.add(function);
    arrived(function, now);
  }

  private void arrived(FunctionName function, Instant now) {
    arrived.add(function);
    ArrivalHistory history = arrivals.computeIfAbsent(function, _ -> new ArrivalHistory());
    synchronized (history) {
      history.arrived(nanos(now));
    }
  }

  /// The probability that the function is called within so much time; 0 where too little is known.
  public double soon(FunctionName function, Duration ahead, Instant now) {
    ArrivalHistory history = arrivals.get(function);
    if (history == null) {
      return 0;
    }
    synchronized (history) {
      return history.within(ahead.toNanos(), nanos(now));
    }
  }

  /// The functions that were called here since this was asked last.
  public Set<FunctionName> takeCalled() {
    Set<FunctionName> taken = Set.copyOf(called);
    called.removeAll(taken);
    return taken;
  }

  /// Forgets when functions were called that are no more.
  void keep(Set<FunctionName> functions) {
    arrivals.keySet().retainAll(functions);
    called.retainAll(functions);
    arrived.retainAll(functions);
  }

  /// What is known of the times between calls of these functions, those left out that were never
  /// called.
  Map<FunctionName, Calls> calls(Set<FunctionName> functions) {
    Map<FunctionName, Calls> known = new HashMap<>();
    for (FunctionName function : functions) {
      ArrivalHistory history = arrivals.get(function);
      if (history != null) {
        synchronized (history) {
          ArrivalHistory.State state = history.state();
          known.put(function, new Calls(state.lastAt(), state.gaps()));
        }
      }
    }
    return known;
  }

  /// Goes on from what was known before a restart. Calls that came since count as well.
  void restore(Map<FunctionName, Calls> known) {
    known.forEach((function, calls) -> {
      ArrivalHistory history = arrivals.computeIfAbsent(function, _ -> new ArrivalHistory());
      synchronized (history) {
        history.continues(new ArrivalHistory.State(calls.lastNanos(), calls.gaps()));
      }
    });
  }

  /// The functions that were called, here or at other gateways, since this was asked last.
  Set<FunctionName> takeArrived() {
    Set<FunctionName> taken = Set.copyOf(arrived);
    arrived.removeAll(taken);
    return taken;
  }

  private static long nanos(Instant at) {
    return Duration.between(Instant.EPOCH, at).toNanos();
  }

  /// Counts one more held request, unless `limit` are held already.
  public boolean tryHold(FunctionName function, int limit) {
    boolean[] admitted = new boolean[1];
    held.compute(
        function,
        (_, here) -> {
          int before = here == null ? 0 : here.count();
          admitted[0] = before < limit;
          if (!admitted[0]) {
            return here;
          }
          return new Held(before + 1, here == null ? Instant.now() : here.since());
        });
    if (admitted[0]) {
      listeners.forEach(Runnable::run);
    }
    return admitted[0];
  }

  /// Counts one held request less.
  public void release(FunctionName function) {
    held.computeIfPresent(
        function, (_, here) -> here.count() <= 1 ? null : new Held(here.count() - 1, here.since()));
  }

  /// Counts one more request that devices are asked about again after a pause, unless `limit` are
  /// already.
  public boolean tryQueue(FunctionName function, int limit) {
    boolean[] admitted = new boolean[1];
    queued.compute(
        function,
        (_, before) -> {
          int count = before == null ? 0 : before;
          admitted[0] = count < limit;
          return admitted[0] ? Integer.valueOf(count + 1) : before;
        });
    return admitted[0];
  }

  /// Counts one less.
  public void leaveQueue(FunctionName function) {
    queued.computeIfPresent(function, (_, count) -> count == 1 ? null : count - 1);
  }

  /// Notes that no instance of the function could take a request in time.
  public void crowd(FunctionName function, Instant now) {
    crowded.put(function, now);
    listeners.forEach(Runnable::run);
  }

  /// Whether a request found no room so short a time ago.
  boolean crowded(FunctionName function, Instant now, Duration lately) {
    Instant last = crowded.get(function);
    return last != null && !now.isAfter(last.plus(lately));
  }

  /// Whether a request found no room a moment ago.
  public boolean crowded(FunctionName function, Instant now) {
    Instant last = crowded.get(function);
    if (last != null && now.isAfter(last.plus(CROWDED_FOR))) {
      crowded.remove(function, last);
      return false;
    }
    return last != null;
  }

  public int held(FunctionName function) {
    Held here = held.get(function);
    return here == null ? 0 : here.count();
  }

  /// Requests held for all functions.
  public int total() {
    return held.values().stream().mapToInt(Held::count).sum();
  }

  /// Calls `listener` when a request is held or found no room; it must return quickly.
  public void onHold(Runnable listener) {
    listeners.add(listener);
  }
}
