package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/// Which functions somebody waits for: the number of requests held for an instance, and which have
/// instances that could not take a request in time. **thread**: any.
@Singleton
public final class Demand {
  /// So long after a request found no room a function is taken to need more.
  private static final Duration CROWDED_FOR = Duration.ofSeconds(10);

  private final Map<FunctionName, Integer> held = new ConcurrentHashMap<>();
  private final Map<FunctionName, Instant> crowded = new ConcurrentHashMap<>();
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();

  /// Counts one more held request, unless `limit` are held already.
  public boolean tryHold(FunctionName function, int limit) {
    boolean[] admitted = new boolean[1];
    held.compute(
        function,
        (_, count) -> {
          int before = count == null ? 0 : count;
          admitted[0] = before < limit;
          return admitted[0] ? Integer.valueOf(before + 1) : count;
        });
    if (admitted[0]) {
      listeners.forEach(Runnable::run);
    }
    return admitted[0];
  }

  /// Counts one held request less.
  public void release(FunctionName function) {
    held.computeIfPresent(function, (_, count) -> count <= 1 ? null : count - 1);
  }

  /// Notes that no instance of the function could take a request in time.
  public void crowd(FunctionName function, Instant now) {
    crowded.put(function, now);
    listeners.forEach(Runnable::run);
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
    return held.getOrDefault(function, 0);
  }

  /// Requests held for all functions.
  public int total() {
    return held.values().stream().mapToInt(Integer::intValue).sum();
  }

  /// Calls `listener` when a request is held or found no room; it must return quickly.
  public void onHold(Runnable listener) {
    listeners.add(listener);
  }
}
