package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;

/// Errors that say where in the template they happened. All messages begin alike; one that already
/// does is complete.
final class TemplateErrors {
  private static final String START = "The chat template";

  private TemplateErrors() {}

  static ChatTemplateException error(int line, String what) {
    return new ChatTemplateException(START + ", line " + line + ": " + what);
  }

  /// The error with its line, unless it names one or concerns the template as a whole.
  static ChatTemplateException located(ChatTemplateException error, int line) {
    String message = String.valueOf(error.getMessage());
    return message.startsWith(START) ? error : error(line, message);
  }
}
