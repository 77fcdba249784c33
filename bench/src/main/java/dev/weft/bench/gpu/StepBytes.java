package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;

/// What a decode step has to read of a model in bfloat16 whose keys and values are of 16 bits.
///
/// @param weights each matrix once, of the embedding nothing where it is not the output
/// @param token keys and values of one token
record StepBytes(long weights, long token) {
  static StepBytes of(ModelShape shape) {
    return new StepBytes(
        2 * shape.matrixElements(), 4L * shape.layers() * shape.kvHeads() * shape.headSize());
  }

  /// @param tokens before all rows together
  double with(double tokens) {
    return weights + token * tokens;
  }
}
