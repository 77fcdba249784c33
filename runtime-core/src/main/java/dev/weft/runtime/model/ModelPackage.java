package dev.weft.runtime.model;

import dev.weft.runtime.tokenizer.TokenizerSource;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// A model's files, opened and checked: what it computes, its tensors, and how text becomes its
/// tokens. The opener is `ModelFiles.open`; whoever opens, closes.
///
/// @param vocabulary reads what [#tokenizer] returns, which takes longer than all the rest
/// @param vocabularyFiles where it is read from; empty when files cannot be told apart
/// @param chatTemplate the Jinja source, if the model has one
public record ModelPackage(
    ModelSpec spec,
    Weights weights,
    Supplier<TokenizerSource> vocabulary,
    List<SourceFile> vocabularyFiles,
    Optional<String> chatTemplate)
    implements AutoCloseable {
  public ModelPackage {
    vocabularyFiles = List.copyOf(vocabularyFiles);
  }

  /// Reads the vocabulary; from any thread, while this is open. Throws
  /// [dev.weft.runtime.weights.ModelFormatException].
  public TokenizerSource tokenizer() {
    return vocabulary.get();
  }

  @Override
  public void close() {
    weights.close();
  }
}
