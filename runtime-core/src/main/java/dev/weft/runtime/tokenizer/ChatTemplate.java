package dev.weft.runtime.tokenizer;

import java.util.Map;

/// A model's chat template, rendered in a sandbox with bounds on steps and output.
public interface ChatTemplate {
  /// The prompt.
  ///
  /// @param variables `messages` (list of maps), `add_generation_prompt`, `bos_token`, `eos_token`,
  ///   `tools` ... as plain maps, lists, strings, numbers and booleans
  /// @throws ChatTemplateException when the template refuses the messages or exceeds its bounds
  String render(Map<String, ?> variables);

  /// The template could not be parsed or rendered; the message is meant for the caller.
  final class ChatTemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public ChatTemplateException(String message) {
      super(message);
    }
  }
}
