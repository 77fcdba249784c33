package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/// Which functions somebody waits for: the number of requests held for an instance. **thread**:
/// any.
@Singleton
public final class Demand {
  private final Map<FunctionName, Integer> held = new ConcurrentHashMap<>();
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

  public int held(FunctionName function) {
    return held.getOrDefault(function, 0);
  }

  /// Requests held for all functions.
  public int total() {
    return held.values().stream().mapToInt(Integer::intValue).sum();
  }

  /// Calls `listener` when a request is held; it must return quickly.
  public void onHold(Runnable listener) {
    listeners.add(listener);
  }
}
