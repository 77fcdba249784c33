package dev.weft.runtime.model;

import dev.weft.runtime.tokenizer.TokenizerSource;
import dev.weft.runtime.weights.Weights;
import java.util.Optional;

/// A model's files, opened and checked: what it computes, its tensors, and how text becomes its
/// tokens. The opener is `ModelFiles.open`; whoever opens, closes.
///
/// @param chatTemplate the Jinja source, if the model has one
public record ModelPackage(
    ModelSpec spec, Weights weights, TokenizerSource tokenizer, Optional<String> chatTemplate)
    implements AutoCloseable {
  @Override
  public void close() {
    weights.close();
  }
}
