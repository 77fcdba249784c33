package dev.weft.runtime.tokenizer;

import dev.weft.runtime.tokenizer.Tokenizer.TextPart;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// A model's chat template, rendered in a sandbox with bounds on steps and output. Thread-safe.
public interface ChatTemplate {
  /// The prompt, in parts that say who wrote them: the template's own text and the special tokens
  /// are trusted, all that comes from `variables` is not.
  ///
  /// @param variables `messages` (list of maps), `add_generation_prompt`, `tools` ... as plain
  ///   maps, lists, strings, numbers, booleans and nulls
  /// @param specialTokens `bos_token`, `eos_token` ... as [Tokenizer#specialTokens] has them
  /// @throws ChatTemplateException when the template refuses the messages or exceeds its bounds
  List<TextPart> render(Map<String, ?> variables, Map<String, String> specialTokens);

  /// The prompt as one text.
  ///
  /// @param variables as above, with the special tokens among them
  /// @throws ChatTemplateException when the template refuses the messages or exceeds its bounds
  default String render(Map<String, ?> variables) {
    return render(variables, Map.of()).stream().map(TextPart::text).collect(Collectors.joining());
  }

  /// The template could not be parsed or rendered; the message is meant for the caller.
  final class ChatTemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public ChatTemplateException(String message) {
      super(message);
    }
  }
}
