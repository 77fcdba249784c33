package dev.weft.runtime.tokenizer;

import java.util.Set;

/// Text to tokens and back. Thread-safe.
public interface Tokenizer extends AutoCloseable {
  /// Tokens of `text`; special tokens written in the text become themselves only when
  /// `parseSpecial` is set.
  ///
  /// @param addSpecial adds what the model puts around every text (BOS, [CLS] ... [SEP])
  int[] encode(String text, boolean addSpecial, boolean parseSpecial);

  /// Text of the tokens, special ones left out when `skipSpecial` is set.
  String decode(int[] tokens, boolean skipSpecial);

  /// The bytes that one token stands for (OpenAI's `logprobs[].bytes`).
  byte[] tokenBytes(int token);

  /// A decoder that takes tokens one by one and never splits a character.
  IncrementalDecoder incrementalDecoder(boolean skipSpecial);

  int vocabularySize();

  /// Tokens that end a generation.
  Set<Integer> endTokens();

  @Override
  void close();

  /// Text as it becomes certain. Not thread-safe.
  interface IncrementalDecoder {
    /// The text that this token completes; empty while a character is incomplete.
    String add(int token);

    /// What is left when no token follows (an incomplete character becomes U+FFFD).
    String finish();
  }
}
