package dev.weft.runtime.tokenizer;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// A model's tokens by id, as its files spell them, and which of them are special. An id that no
/// token has is a hole.
final class Vocabulary {
  private final @Nullable String[] tokens;
  private final BitSet special;

  private Vocabulary(@Nullable String[] tokens, BitSet special) {
    this.tokens = tokens;
    this.special = special;
  }

  /// The token's spelling, or null for a hole and for ids outside the vocabulary.
  @Nullable String token(int id) {
    return id >= 0 && id < tokens.length ? tokens[id] : null;
  }

  boolean isSpecial(int id) {
    return id >= 0 && special.get(id);
  }

  /// One more than the largest id.
  int size() {
    return tokens.length;
  }

  /// The first id with this spelling. Reads the whole vocabulary: for opening only.
  OptionalInt find(String token) {
    for (int id = 0; id < tokens.length; id++) {
      if (token.equals(tokens[id])) {
        return OptionalInt.of(id);
      }
    }
    return OptionalInt.empty();
  }

  /// Collects tokens in any order.
  static final class Builder {
    private final List<@Nullable String> tokens = new ArrayList<>();
    private final BitSet special = new BitSet();

    void put(int id, String token) {
      while (tokens.size() <= id) {
        tokens.add(null);
      }
      tokens.set(id, token);
    }

    void markSpecial(int id) {
      special.set(id);
    }

    int size() {
      return tokens.size();
    }

    Vocabulary build() {
      return new Vocabulary(tokens.toArray(new @Nullable String[0]), special);
    }
  }
}
