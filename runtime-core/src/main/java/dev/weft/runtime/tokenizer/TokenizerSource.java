package dev.weft.runtime.tokenizer;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Where a model's tokenizer comes from.
public sealed interface TokenizerSource {
  /// A `tokenizer.json`, with the `tokenizer_config.json`, `special_tokens_map.json` and
  /// `generation_config.json` that may stand beside it.
  record Json(Path tokenizerJson, Optional<Path> tokenizerConfig, Optional<Path> generationConfig)
      implements TokenizerSource {}

  /// The vocabulary inside a GGUF file (`tokenizer.ggml.*`).
  ///
  /// @param model `gpt2` (byte-level BPE), `llama` (SentencePiece) or `bert` (WordPiece)
  /// @param pre the pre-tokenizer's name, such as `smollm` or `llama-bpe`
  /// @param types GGUF token types (1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6
  ///   byte)
  record Gguf(
      String model,
      @Nullable String pre,
      List<String> tokens,
      List<Float> scores,
      List<Integer> types,
      List<String> merges,
      @Nullable Integer bosToken,
      @Nullable Integer eosToken,
      @Nullable Integer unknownToken,
      @Nullable Integer separatorToken,
      @Nullable Integer padToken,
      boolean addBos,
      boolean addEos,
      boolean addSpacePrefix)
      implements TokenizerSource {}
}
