package dev.weft.runtime.weights;

import java.nio.file.Path;
import java.util.Map;

/// Tensors of one safetensors file, or of several with an index.
public sealed interface SafetensorsWeights extends Weights
    permits SafetensorsFile, ShardedSafetensors {
  /// Maps and checks a `.safetensors` file, or an `.index.json` and all that it names. Throws
  /// [ModelFormatException].
  static SafetensorsWeights open(Path fileOrIndex) {
    return String.valueOf(fileOrIndex.getFileName()).endsWith(".json")
        ? ShardedSafetensors.open(fileOrIndex)
        : SafetensorsFile.open(fileOrIndex);
  }

  /// Names of the entries whose type no model computes with (an `I64` buffer of positions, say),
  /// with that type.
  Map<String, String> unsupported();
}
