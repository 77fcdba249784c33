package dev.weft.runtime.tokenizer;

import dev.weft.runtime.weights.ModelFormatException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// How byte-level models cut text into words before merging, by the name that GGUF files give it.
///
/// @param splits regular expressions applied one after the other, each isolating its matches
/// @param wholeWords whether a word that is in the vocabulary is one token whatever the merges say
/// @param composes whether text is brought to Unicode's composed form (NFC) first
record PreTokenizer(List<String> splits, boolean wholeWords, boolean composes) {
  private static final String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String LETTERS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
  private static final String SIGNS = " ?[^\\s\\p{L}\\p{N}]+";
  private static final String SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

  PreTokenizer {
    splits = List.copyOf(splits);
  }

  /// @param name `tokenizer.ggml.pre`; files from before that key mean `default`
  static PreTokenizer named(@Nullable String name) {
    return switch (name == null ? "default" : name) {
      case "default" -> plain("[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]");
      case "gpt-2",
          "gpt2",
          "phi-2",
          "mpt",
          "olmo",
          "jais",
          "modern-bert",
          "gigachat",
          "trillion",
          "granite-docling",
          "jina-es",
          "jina-de",
          "jina-v2-es",
          "jina-v2-de",
          "a.x-4.0",
          "mellum" ->
          plain(GPT2);
      case "smollm",
          "starcoder",
          "refact",
          "command-r",
          "codeshell",
          "exaone",
          "minerva-7b",
          "mellum2" ->
          plain("\\p{N}", GPT2);
      case "falcon" -> plain("[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]");
      case "llama-bpe",
          "llama3",
          "llama-v3",
          "falcon3",
          "falcon-h1",
          "pixtral",
          "midm-2.0",
          "lfm2" ->
          new PreTokenizer(List.of(digits("\\p{N}{1,3}")), true, false);
      case "dbrx", "smaug-bpe", "chatglm-bpe", "glm4" -> plain(digits("\\p{N}{1,3}"));
      case "qwen2", "deepseek-r1-qwen" -> new PreTokenizer(List.of(digits("\\p{N}")), false, true);
      case "stablelm2", "hunyuan", "solar-open", "megrez", "grok-2" -> plain(digits("\\p{N}"));
      case "gpt-4o", "llama4" -> plain(cased(CONTRACTIONS + "?", "\\p{N}{1,3}"));
      case "tekken" -> new PreTokenizer(List.of(cased("", "\\p{N}")), true, false);
      default ->
          throw new ModelFormatException(
              "The GGUF file names a pre-tokenizer that is not supported: '" + name + "'.");
    };
  }

  private static PreTokenizer plain(String... splits) {
    return new PreTokenizer(List.of(splits), false, false);
  }

  private static String digits(String digits) {
    return String.join("|", CONTRACTIONS, LETTERS, digits, SIGNS + "[\\r\\n]*", SPACES);
  }

  /// Words end where upper case begins again.
  private static String cased(String suffix, String digits) {
    String before = "[^\\r\\n\\p{L}\\p{N}]?";
    return String.join(
        "|",
        before + UPPER + "*" + LOWER + "+" + suffix,
        before + UPPER + "+" + LOWER + "*" + suffix,
        digits,
        SIGNS + "[\\r\\n/]*",
        SPACES);
  }
}
