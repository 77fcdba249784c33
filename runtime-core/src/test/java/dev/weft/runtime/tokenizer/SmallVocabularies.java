package dev.weft.runtime.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// GGUF vocabularies small enough to read.
final class SmallVocabularies {
  static final int START = 257;
  static final int END = 258;
  static final int NOTE = 259;

  private SmallVocabularies() {}

  /// All bytes, a few merges, two control tokens (`<|im_start|>`, `<|im_end|>`), a token that users
  /// may write (`<note>`), and one whose letters are no text (half of an emoji with a letter).
  static TokenizerSource.Gguf byteLevel(@Nullable String pre) {
    List<String> tokens = new ArrayList<>();
    List<Integer> types = new ArrayList<>();
    for (int value = 0; value < 256; value++) {
      tokens.add(letter(value));
      types.add(1);
    }
    tokens.add("<|endoftext|>");
    tokens.add("<|im_start|>");
    tokens.add("<|im_end|>");
    types.addAll(List.of(3, 3, 3));
    tokens.add("<note>");
    types.add(4);
    List<String> merges = new ArrayList<>();
    for (String merge : List.of("h e", "l l", "he ll", "hell o", "\u0120 w", "< |", "i m", "| >")) {
      merges.add(merge);
      tokens.add(merge.replace(" ", ""));
      types.add(1);
    }
    tokens.add("a" + letter(0xF0) + letter(0x9F));
    types.add(1);
    return new TokenizerSource.Gguf(
        "gpt2", pre, tokens, List.of(), types, merges, START, END, 256, null, END, false, false,
        false);
  }

  /// Lower-case pieces as GGUF has them: words begin with the visible space.
  static TokenizerSource.Gguf wordPieces() {
    List<String> tokens =
        List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581hello", "\u2581wor", "ld", "\u2581,");
    List<Integer> types = List.of(3, 3, 3, 3, 1, 1, 1, 1);
    return new TokenizerSource.Gguf(
        "bert", null, tokens, List.of(), types, List.of(), 2, null, 1, 3, 0, true, true, false);
  }

  static TokenizerSource.Gguf named(TokenizerSource.Gguf source, String model) {
    return new TokenizerSource.Gguf(
        model,
        source.pre(),
        source.tokens(),
        source.scores(),
        source.types(),
        source.merges(),
        source.bosToken(),
        source.eosToken(),
        source.unknownToken(),
        source.separatorToken(),
        source.padToken(),
        source.addBos(),
        source.addEos(),
        source.addSpacePrefix());
  }

  /// GPT-2's letter of a byte, found by asking for each letter's byte.
  static String letter(int value) {
    return Stream.iterate(0x21, letter -> letter + 1)
        .map(Character::toString)
        .filter(letter -> isByte(ByteLevelAlphabet.bytes(letter), value))
        .findFirst()
        .orElseThrow();
  }

  private static boolean isByte(byte[] bytes, int value) {
    return bytes.length == 1 && (bytes[0] & 0xFF) == value;
  }
}
