package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate;
import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.Tokenizer.TextPart;
import java.time.Clock;
import java.time.ZoneId;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/// Compiles chat templates.
public final class ChatTemplates {
  private ChatTemplates() {}

  /// @throws ChatTemplateException when the source is not a template of the supported subset
  public static ChatTemplate compile(String source) {
    return compile(
        source, TemplateLimits.DEFAULT, Clock.system(ZoneId.systemDefault()), System::nanoTime);
  }

  /// @param clock what `strftime_now` reads
  /// @param nanoTime what the time limit is measured with
  static ChatTemplate compile(
      String source, TemplateLimits limits, Clock clock, LongSupplier nanoTime) {
    if (source.length() > limits.sourceChars()) {
      throw new ChatTemplateException(
          "The chat template is longer than " + limits.sourceChars() + " letters.");
    }
    return new Compiled(StatementParser.parse(source), limits, clock, nanoTime);
  }

  private record Compiled(
      List<Statement> statements, TemplateLimits limits, Clock clock, LongSupplier nanoTime)
      implements ChatTemplate {
    @Override
    public List<TextPart> render(Map<String, ?> variables, Map<String, String> specialTokens) {
      Budget budget = new Budget(limits, nanoTime);
      Map<String, Value> names = new HashMap<>(Functions.all(budget, clock));
      specialTokens.forEach((name, text) -> names.put(name, Text.trusted(text)));
      variables.forEach((name, value) -> names.put(name, Value.untrusted(value)));
      return new Interpreter(budget).render(statements, names).parts();
    }
  }
}
