package dev.weft.runtime.tokenizer;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;

/// Names under which the native tokenizer knows the special tokens. They are random, so no text
/// holds one by accident or on purpose, and the native tokenizer never turns text into a special
/// token.
final class SpecialTokenAliases {
  private final Map<String, String> aliases = new HashMap<>();

  SpecialTokenAliases(Collection<AddedToken> added) {
    String secret = UUID.randomUUID().toString();
    for (AddedToken token : added) {
      if (token.special()) {
        aliases.put(token.content(), "\uE000" + secret + ":" + token.id());
      }
    }
  }

  boolean has(String token) {
    return aliases.containsKey(token);
  }

  /// The alias of a special token; every other token keeps its name.
  String of(String token) {
    return aliases.getOrDefault(token, token);
  }
}
