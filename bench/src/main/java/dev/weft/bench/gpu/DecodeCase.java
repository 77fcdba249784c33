package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;

/// Sequences that are decoded together, each after so many tokens.
///
/// @param target of vLLM's tokens a second; 0 where there is none
record DecodeCase(ModelShape shape, int batch, int context, double target) {
  String label() {
    return context == DecodePart.CONTEXT
        ? "%s, batch %d".formatted(shape.name(), batch)
        : "%s, batch %d, context %,d".formatted(shape.name(), batch, context);
  }

  String key() {
    return "%d/%s/%d/%d".formatted(batch == 1 ? 2 : 3, shape.name(), batch, context);
  }
}
