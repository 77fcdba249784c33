package dev.weft.runtime.instance;

import dev.weft.runtime.instance.Instances.Detached;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/// Residents that have left the device for everybody but who fetches what they had computed.
/// Thread-safe.
final class Departures implements AutoCloseable {
  private final Consumer<Detached> retire;
  private final Set<Detached> leaving = ConcurrentHashMap.newKeySet();

  /// @param retire called once for each, when it is over
  Departures(Consumer<Detached> retire) {
    this.retire = retire;
  }

  /// Stops one, and retires it when nothing of it is wanted any more: now, where nothing was kept,
  /// else in some seconds at most.
  void begin(Detached detached) {
    if (!detached.resident().stop()) {
      retire.accept(detached);
      return;
    }
    leaving.add(detached);
    Thread.ofVirtual()
        .name("weft-departure")
        .start(() -> {
          detached.resident().awaitFetched(InstanceSettings.KEPT_FOR_MOVES);
          end(detached);
        });
  }

  private void end(Detached detached) {
    if (leaving.remove(detached)) {
      retire.accept(detached);
    }
  }

  /// Retires all at once.
  @Override
  public void close() {
    List.copyOf(leaving).forEach(this::end);
  }
}
