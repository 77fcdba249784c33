package dev.weft.functions;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The model of a function.
///
/// @param kind what it does; read from the model's own files when left out
/// @param sources where its files are, tried in order
/// @param contextLength the longest prompt plus answer in tokens; the model's own, bounded by
///   memory, when left out
public record Model(
    @Nullable Kind kind, List<ModelSource> sources, @Nullable Integer contextLength) {
  /// What a model does, and with it the shape of its requests.
  public enum Kind {
    /// Text from text, token by token: chat and completions.
    GENERATION,
    /// A vector from a text.
    EMBEDDING
  }

  public Model {
    if (sources == null || sources.isEmpty()) {
      throw new InvalidManifestException(
          "spec.model.sources", "empty: name at least one place to get the model from");
    }
    if (sources.stream().anyMatch(Objects::isNull)) {
      throw new InvalidManifestException("spec.model.sources", "a source without an address");
    }
    sources = List.copyOf(sources);
    if (contextLength != null) {
      InvalidManifestException.requireAtLeast("spec.model.contextLength", contextLength, 1);
    }
  }
}
