package dev.weft.runtime.tokenizer;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Turns a conversation into the tokens that a model was trained to continue.
///
/// A special token counts only where the template wrote it. One that a caller wrote into a message
/// (`<|im_end|>`, say, to end the turn and begin one of the system's) is encoded as the letters it
/// consists of. Where no message holds such letters, the tokens are those of Hugging Face's
/// `apply_chat_template`. This is exact for templates that strip, cut, split or join content; where
/// one changes its letters (upper case, JSON), all of the result counts as the caller's, so a
/// special token that the template itself put through such a step stays letters too.
public final class ChatPrompt {
  /// One turn.
  ///
  /// @param members what the template sees of it: `role`, and `content` as a string or as a list of
  ///   maps with `type` and `text`
  public record Message(Map<String, ?> members) {
    public static Message of(String role, String content) {
      return new Message(Map.of("role", role, "content", content));
    }
  }

  private final ChatTemplate template;
  private final Tokenizer tokenizer;

  public ChatPrompt(ChatTemplate template, Tokenizer tokenizer) {
    this.template = template;
    this.tokenizer = tokenizer;
  }

  /// The prompt builder of a model.
  ///
  /// @throws ChatTemplateException when the model has no template
  public static ChatPrompt of(Optional<ChatTemplate> template, Tokenizer tokenizer) {
    return new ChatPrompt(
        template.orElseThrow(() ->
            new ChatTemplateException(
                "This model has no chat template, so it cannot take chat messages;"
                    + " /v1/completions works.")),
        tokenizer);
  }

  /// Tokens of the conversation, ready for the assistant's next turn.
  ///
  /// @param variables more for the template, such as `tools` or `enable_thinking`
  /// @throws ChatTemplateException when the template refuses the messages or exceeds its bounds
  public int[] tokens(List<Message> messages, Map<String, ?> variables) {
    Map<String, Object> all = new HashMap<>(variables);
    all.put("messages", messages.stream().map(Message::members).toList());
    all.putIfAbsent("add_generation_prompt", true);
    return tokenizer.encode(template.render(all, tokenizer.specialTokens()), false);
  }
}
