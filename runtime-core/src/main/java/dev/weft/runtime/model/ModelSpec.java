package dev.weft.runtime.model;

/// What a model computes; a [dev.weft.runtime.backend.Backend] compiles it.
public sealed interface ModelSpec permits DecoderSpec, EncoderSpec {
  /// The family's name, such as `llama` or `bert`.
  String family();

  int vocabularySize();

  /// The longest sequence that the model was made for, in tokens.
  int contextLength();
}
