package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;

/// Sequences that are decoded together, each after so many tokens.
///
/// @param target of vLLM's tokens a second; 0 where there is none
/// @param sampled whether tokens are drawn, rather than the likeliest taken
record DecodeCase(ModelShape shape, int batch, int context, double target, boolean sampled) {
  /// Greedy.
  DecodeCase(ModelShape shape, int batch, int context, double target) {
    this(shape, batch, context, target, false);
  }

  String label() {
    String label =
        context == DecodePart.CONTEXT
            ? "%s, batch %d".formatted(shape.name(), batch)
            : "%s, batch %d, context %,d".formatted(shape.name(), batch, context);
    return sampled ? label + ", sampled" : label;
  }

  String key() {
    String key = "%d/%s/%d/%d".formatted(batch == 1 ? 2 : 3, shape.name(), batch, context);
    return sampled ? key + "/sampled" : key;
  }

  /// The same with the likeliest tokens.
  DecodeCase greedy() {
    return new DecodeCase(shape, batch, context, target);
  }
}
