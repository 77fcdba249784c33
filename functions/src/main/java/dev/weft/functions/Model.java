package dev.weft.functions;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// The model of a function.
///
/// @param kind what it does; `null` only in a manifest that leaves it to the model's own files
/// @param sources where its files are, tried in order
/// @param contextLength the longest prompt plus answer in tokens; `null` takes the model's own,
///   bounded by memory
public record Model(
    @Nullable Kind kind, List<ModelSource> sources, @Nullable Integer contextLength) {
  /// What a model does, and with it the shape of its requests.
  public enum Kind {
    GENERATION,
    EMBEDDING
  }

  public Model {
    if (sources == null || sources.isEmpty()) {
      throw new InvalidManifestException(
          "spec.model.sources", "empty: name at least one place to get the model from");
    }
    sources = List.copyOf(sources);
    if (contextLength != null && contextLength < 1) {
      throw new InvalidManifestException(
          "spec.model.contextLength", "%d is not positive".formatted(contextLength));
    }
  }
}
