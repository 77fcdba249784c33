package dev.weft.bench.gpu;

import dev.weft.runtime.tokenizer.Tokenizer;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A vocabulary whose every token is a space and none of which ends a text: requests are of tokens.
record PlainTokenizer(int vocabularySize) implements Tokenizer {
  private static final String SPACE = " ";

  @Override
  public int[] encode(List<TextPart> parts, boolean addSpecial) {
    throw new UnsupportedOperationException("requests here are of tokens");
  }

  @Override
  public String decode(int[] tokens, boolean skipSpecial) {
    return SPACE.repeat(tokens.length);
  }

  @Override
  public byte[] tokenBytes(int token) {
    return new byte[] {' '};
  }

  @Override
  public IncrementalDecoder incrementalDecoder(boolean skipSpecial) {
    return new IncrementalDecoder() {
      @Override
      public String add(int token) {
        return SPACE;
      }

      @Override
      public String finish() {
        return "";
      }
    };
  }

  @Override
  public Set<Integer> endTokens() {
    return Set.of();
  }

  @Override
  public Map<String, String> specialTokens() {
    return Map.of();
  }

  @Override
  public void close() {
    // Nothing is held.
  }
}
