package dev.weft.runtime.model;

import dev.weft.runtime.weights.Weights;

/// An adapter's files, opened and checked against its base; whoever opens ([AdapterFiles]), closes.
///
/// @param weights valid while this is open
public record AdapterPackage(AdapterWeights weights, Weights files) implements AutoCloseable {
  @Override
  public void close() {
    files.close();
  }
}
