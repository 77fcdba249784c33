package dev.weft.runtime.tokenizer;

import java.util.Set;

/// Control tokens that end a turn or a text in the families that are known. A GGUF file names one
/// end token only, while chat models end their turns with another.
final class EndTokens {
  static final Set<String> WELL_KNOWN =
      Set.of(
          "</s>",
          "<|im_end|>",
          "<|eot_id|>",
          "<|eom_id|>",
          "<|end_of_text|>",
          "<|endoftext|>",
          "<end_of_turn>");

  private EndTokens() {}
}
