package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import jakarta.inject.Singleton;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/// The latest snapshot of all deployed functions, for everyone who decides on them without asking a
/// database. **thread**: any; a reader sees one whole snapshot.
///
/// It is current unless somebody says otherwise: a gateway that has lost its controller knows the
/// functions of a moment ago, and none that was deployed since.
@Singleton
public final class FunctionDirectory {
  private final List<Consumer<Snapshot>> listeners = new CopyOnWriteArrayList<>();
  private volatile Snapshot snapshot = new Snapshot(0, Map.of());

  private volatile boolean current = true;

  /// All functions at one moment; `version` grows with every change.
  public record Snapshot(long version, Map<FunctionName, DeployedFunction> functions) {
    public Snapshot {
      functions = Map.copyOf(functions);
    }

    public Optional<DeployedFunction> find(FunctionName name) {
      return Optional.ofNullable(functions.get(name));
    }

    /// In the order of their names.
    public Collection<DeployedFunction> sorted() {
      return new TreeMap<>(functions).values();
    }
  }

  public Snapshot snapshot() {
    return snapshot;
  }

  /// Whether a function that is not found does not exist.
  public boolean current() {
    return current;
  }

  public void current(boolean known) {
    current = known;
  }

  /// Makes `functions` the snapshot and tells the listeners, in the caller's thread.
  public synchronized void publish(Collection<DeployedFunction> functions) {
    Map<FunctionName, DeployedFunction> byName = new TreeMap<>();
    functions.forEach(function -> byName.put(function.name(), function));
    Snapshot fresh = new Snapshot(snapshot.version() + 1, byName);
    snapshot = fresh;
    listeners.forEach(listener -> listener.accept(fresh));
  }

  /// Calls `listener` after each change; it must return quickly.
  public void onChange(Consumer<Snapshot> listener) {
    listeners.add(listener);
  }
}
