package dev.weft.runtime.backend;

import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.TensorNames;
import java.util.HashMap;
import java.util.Map;

/// An adapter's matrices in float32, by the name of the weight that each changes.
final class ReferenceAdapter {
  private final Map<String, LowRank> changes = new HashMap<>();

  private record LowRank(Linear a, Linear b, float scale) {}

  ReferenceAdapter(AdapterWeights weights, WorkerTeam team) {
    for (AdapterWeights.Delta delta : weights.deltas()) {
      changes.put(
          delta.weightName(),
          new LowRank(Linear.of(delta.a(), team), Linear.of(delta.b(), team), delta.scale()));
    }
  }

  /// Adds to `y`, the row's product with the whole matrix, what the adapter changes.
  void add(int layer, String part, float[] x, float[] y, WorkerTeam team) {
    LowRank change = changes.get(TensorNames.weight(layer, part));
    if (change == null) {
      return;
    }
    float[][] inner = change.a().apply(new float[][] {x}, team);
    for (int i = 0; i < inner[0].length; i++) {
      inner[0][i] *= change.scale();
    }
    float[] outer = change.b().apply(inner, team)[0];
    for (int i = 0; i < y.length; i++) {
      y[i] += outer[i];
    }
  }
}
