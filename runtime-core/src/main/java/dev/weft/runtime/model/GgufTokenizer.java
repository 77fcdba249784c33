package dev.weft.runtime.model;

import dev.weft.runtime.tokenizer.TokenizerSource;
import dev.weft.runtime.weights.GgufMetadata;
import dev.weft.runtime.weights.ModelFormatException;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads the vocabulary in a GGUF file's metadata (`tokenizer.ggml.*`).
final class GgufTokenizer {
  /// What is true of a vocabulary whose file does not say it, as in llama.cpp.
  private record Defaults(boolean addBos, boolean addSpacePrefix) {}

  /// Pre-tokenizers of byte-level BPE after which llama.cpp puts a BOS unless told otherwise.
  private static final Set<String> BOS_PRE_TOKENIZERS =
      Set.of(
          "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2");

  private final String fileName;
  private final GgufMetadata metadata;

  private GgufTokenizer(String fileName, GgufMetadata metadata) {
    this.fileName = fileName;
    this.metadata = metadata;
  }

  static TokenizerSource.Gguf read(String fileName, GgufMetadata metadata, int vocabularySize) {
    return new GgufTokenizer(fileName, metadata).read(vocabularySize);
  }

  private TokenizerSource.Gguf read(int vocabularySize) {
    String model =
        metadata
            .string(key("model"))
            .orElseThrow(() -> failure("'%s' is missing".formatted(key("model"))));
    String pre = metadata.string(key("pre")).orElse(null);
    Defaults defaults = defaults(model, pre);
    List<String> tokens =
        metadata
            .strings(key("tokens"))
            .orElseThrow(() -> failure("'%s' is missing".formatted(key("tokens"))));
    if (tokens.size() != vocabularySize) {
      throw failure(
          "the vocabulary has %d tokens and the model %d".formatted(tokens.size(), vocabularySize));
    }
    int count = tokens.size();
    return new TokenizerSource.Gguf(
        model,
        pre,
        tokens,
        oneEach("scores", metadata.floats(key("scores")).orElse(List.of()), count),
        oneEach("token_type", metadata.integers(key("token_type")).orElse(List.of()), count),
        metadata.strings(key("merges")).orElse(List.of()),
        token(count, "bos_token_id", "cls_token_id"),
        token(count, "eos_token_id"),
        token(count, "unknown_token_id"),
        // The key's usual spelling is GGUF's own.
        token(count, "seperator_token_id", "separator_token_id"),
        token(count, "padding_token_id"),
        metadata.bool(key("add_bos_token")).orElse(defaults.addBos()),
        metadata.bool(key("add_eos_token")).orElse(false),
        metadata.bool(key("add_space_prefix")).orElse(defaults.addSpacePrefix()));
  }

  private Defaults defaults(String model, @Nullable String pre) {
    return switch (model) {
      case "gpt2" -> new Defaults(pre != null && BOS_PRE_TOKENIZERS.contains(pre), false);
      case "llama" -> new Defaults(true, true);
      case "bert" -> new Defaults(true, false);
      default ->
          throw failure(
              "the tokenizer '%s' is not supported; gpt2, llama and bert are".formatted(model));
    };
  }

  private <T> List<T> oneEach(String name, List<T> values, int count) {
    if (!values.isEmpty() && values.size() != count) {
      throw failure("'%s' has %d entries for %d tokens".formatted(key(name), values.size(), count));
    }
    return values;
  }

  /// The first of the keys that is there.
  private @Nullable Integer token(int count, String... names) {
    for (String name : names) {
      OptionalLong id = metadata.integer(key(name));
      if (id.isPresent()) {
        if (id.getAsLong() < 0 || id.getAsLong() >= count) {
          throw failure(
              "'%s' is %d, outside the %d tokens".formatted(key(name), id.getAsLong(), count));
        }
        return (int) id.getAsLong();
      }
    }
    return null;
  }

  private static String key(String name) {
    return "tokenizer.ggml." + name;
  }

  private ModelFormatException failure(String reason) {
    return new ModelFormatException("%s: %s".formatted(fileName, reason));
  }
}
