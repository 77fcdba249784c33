package dev.weft.platform.state;

import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.platform.control.DeployedFunction;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// The state of record of functions and their revisions: the embedded database, or the objects of a
/// Kubernetes cluster. What a call returns is kept. **thread**: blocks.
public interface FunctionStore {
  /// What a deploy changed.
  enum Change {
    CREATED,
    NEW_REVISION,
    LABELS_ONLY,
    UNCHANGED
  }

  /// What a deploy left behind.
  record Deployment(DeployedFunction function, Change change) {}

  /// Reads what there is to be read first.
  default void open() {}

  List<DeployedFunction> all();

  /// Makes `declared` the active revision: a new one, or none when the active one says the same.
  Deployment deploy(Function declared, Instant now);

  /// Makes an existing revision the active one; nothing when there is no such function or revision.
  Optional<DeployedFunction> activate(FunctionName name, int number, Instant now);

  /// Whether there was such a function to delete.
  boolean delete(FunctionName name, Instant now);
}
