package dev.weft.runtime.tokenizer;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// What a tokenizer is made of, whichever file format it came from.
///
/// @param json a `tokenizer.json` for the native tokenizer in which every special token bears an
///   alias that no text can hold, so that it never finds one in a text by itself
/// @param added all added tokens under their real names
/// @param framing what surrounds every text; empty when the native tokenizer has to be asked
/// @param spaceFirst whether a text takes a space in front of its first word only
record TokenizerDefinition(
    String json,
    Vocabulary vocabulary,
    TokenDecoder decoder,
    List<AddedToken> added,
    Optional<Framing> framing,
    boolean spaceFirst,
    Set<Integer> endTokens,
    Map<String, String> specialTokens) {
  TokenizerDefinition {
    added = List.copyOf(added);
    endTokens = Set.copyOf(endTokens);
    specialTokens = Map.copyOf(specialTokens);
  }

  /// The same without the text of the definition, which is not needed once it has been read.
  TokenizerDefinition withoutJson() {
    return new TokenizerDefinition(
        "", vocabulary, decoder, added, framing, spaceFirst, endTokens, specialTokens);
  }

  /// Tokens before and after every text.
  record Framing(List<Integer> before, List<Integer> after) {
    Framing {
      before = List.copyOf(before);
      after = List.copyOf(after);
    }
  }
}
