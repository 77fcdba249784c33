package dev.weft.runtime.tokenizer;

import java.util.List;
import java.util.Map;
import java.util.Set;

/// Text to tokens and back. Thread-safe.
public interface Tokenizer extends AutoCloseable {
  /// Tokens of the text that the parts make together. A special token counts only where all of it
  /// stands in trusted parts; elsewhere its letters are encoded as any other text.
  ///
  /// @param addSpecial adds what the model puts around every text (BOS, [CLS] ... [SEP])
  int[] encode(List<TextPart> parts, boolean addSpecial);

  /// Tokens of `text`; special tokens written in the text become themselves only when
  /// `parseSpecial` is set.
  ///
  /// @param addSpecial adds what the model puts around every text (BOS, [CLS] ... [SEP])
  default int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
    return encode(List.of(new TextPart(text, parseSpecial)), addSpecial);
  }

  /// Text of the tokens, special ones left out when `skipSpecial` is set.
  String decode(int[] tokens, boolean skipSpecial);

  /// The bytes that one token stands for (OpenAI's `logprobs[].bytes`); none for an id outside the
  /// vocabulary.
  byte[] tokenBytes(int token);

  /// A decoder that takes tokens one by one and never splits a character.
  IncrementalDecoder incrementalDecoder(boolean skipSpecial);

  int vocabularySize();

  /// Tokens that end a generation.
  Set<Integer> endTokens();

  /// Texts of the special tokens by the names that chat templates know: `bos_token`, `eos_token`,
  /// `pad_token`, `unk_token`, as far as the model has them.
  Map<String, String> specialTokens();

  @Override
  void close();

  /// A run of text.
  ///
  /// @param trusted whether special tokens written in it count; false for what a caller sent
  record TextPart(String text, boolean trusted) {}

  /// Text as it becomes certain. Not thread-safe.
  interface IncrementalDecoder {
    /// The text that this token completes; empty while a character is incomplete.
    String add(int token);

    /// What is left when no token follows (an incomplete character becomes U+FFFD).
    String finish();
  }
}
