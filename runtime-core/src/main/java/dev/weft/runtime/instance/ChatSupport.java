package dev.weft.runtime.instance;

import dev.weft.runtime.tokenizer.ChatTemplate;

/// Whether a generator can be talked to in messages.
public sealed interface ChatSupport {
  /// With this template.
  record Template(ChatTemplate template) implements ChatSupport {}

  /// It cannot, for this reason; plain completions work.
  record None(String reason) implements ChatSupport {}
}
