package dev.weft.runtime.model;

import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.weights.Weights;
import java.nio.file.Path;
import java.util.Optional;

/// What a family makes a spec of.
///
/// @param config the settings
/// @param weights the tensors by canonical name
/// @param directory where the model's other files are; empty for a GGUF file, which has all in it
record ModelInput(ConfigReader config, Weights weights, Optional<Path> directory) {
  boolean isGguf() {
    return directory.isEmpty();
  }

  /// Rows of a matrix that must be there, at most `maximum`.
  int rows(String tensor, int maximum) {
    Shape shape =
        weights
            .find(tensor)
            .orElseThrow(() -> config.failure("tensor '%s' is missing".formatted(tensor)))
            .shape();
    if (shape.rank() != 2 || shape.dimension(0) < 1 || shape.dimension(0) > maximum) {
      throw config.failure(
          "tensor '%s' has shape %s; it must have two dimensions and 1 to %d rows"
              .formatted(tensor, shape, maximum));
    }
    return (int) shape.dimension(0);
  }
}
