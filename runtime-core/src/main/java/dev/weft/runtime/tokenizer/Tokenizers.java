package dev.weft.runtime.tokenizer;

import dev.weft.runtime.weights.ModelFormatException;

/// Opens tokenizers.
public final class Tokenizers {
  /// System property with the directory for the extracted native library; by default `natives`
  /// under `WEFT_HOME`. Read once, when the first tokenizer opens.
  public static final String NATIVES_PROPERTY = "weft.natives";

  private Tokenizers() {}

  /// The caller closes it.
  ///
  /// @throws ModelFormatException when the files are malformed or of a kind that is not supported
  public static Tokenizer open(TokenizerSource source) {
    return SubwordTokenizer.open(
        switch (source) {
          case TokenizerSource.Json json -> TokenizerJson.read(json);
          case TokenizerSource.Gguf gguf -> GgufVocabulary.read(gguf);
        });
  }
}
