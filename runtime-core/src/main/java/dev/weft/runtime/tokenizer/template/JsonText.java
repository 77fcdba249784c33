package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/// Values as Python's `json.dumps` writes them: a space after commas and colons, letters outside
/// ASCII as they are unless asked otherwise.
final class JsonText {
  /// @param indent what each level is indented by, or empty for one line
  record Style(
      String indent,
      boolean multiline,
      boolean asciiOnly,
      boolean sortKeys,
      String comma,
      String colon) {}

  private final Style style;
  private final Budget budget;
  private final StringBuilder out = new StringBuilder();
  private boolean trusted = true;
  private int depth;

  private JsonText(Style style, Budget budget) {
    this.style = style;
    this.budget = budget;
  }

  static Text write(Value value, Style style, Budget budget) {
    JsonText json = new JsonText(style, budget);
    json.write(value);
    String written = json.out.toString();
    return json.trusted ? Text.trusted(written) : Text.untrusted(written);
  }

  private void write(Value value) {
    budget.step();
    switch (value) {
      case Text text -> string(text);
      case Value.Int(long number) -> out.append(number);
      case Value.Real(double number) -> out.append(floating(number));
      case Value.Bool(boolean bool) -> out.append(bool);
      case Value.None _ -> out.append("null");
      case Sequence(List<Value> items, _) -> sequence(items);
      case Value.Mapping(Map<Value, Value> entries) -> mapping(entries);
      case Value.Undefined _, Value.Namespace _, Value.Loop _, Value.Callable _ ->
          throw new ChatTemplateException(Members.described(value) + " cannot be written as JSON.");
    }
  }

  private static String floating(double number) {
    if (Double.isNaN(number)) {
      return "NaN";
    }
    return Double.isInfinite(number)
        ? (number > 0 ? "Infinity" : "-Infinity")
        : PythonText.floating(number);
  }

  private void sequence(List<Value> items) {
    between('[', ']', items, this::write);
  }

  private void mapping(Map<Value, Value> entries) {
    Collection<Map.Entry<Value, Value>> ordered = entries.entrySet();
    if (style.sortKeys()) {
      List<Map.Entry<Value, Value>> sorted = new ArrayList<>(ordered);
      sorted.sort((left, right) -> new Operators(budget).order("<", left.getKey(), right.getKey()));
      ordered = sorted;
    }
    between(
        '{',
        '}',
        ordered,
        entry -> {
          key(entry.getKey());
          out.append(style.colon());
          write(entry.getValue());
        });
  }

  private void key(Value key) {
    if (key instanceof Text text) {
      string(text);
    } else {
      out.append('"');
      write(key);
      out.append('"');
    }
  }

  private interface Writer<T> {
    void write(T item);
  }

  private <T> void between(char open, char close, Collection<T> items, Writer<T> writer) {
    out.append(open);
    if (items.isEmpty()) {
      out.append(close);
      return;
    }
    depth++;
    if (depth > TemplateLimits.VALUE_DEPTH) {
      throw new ChatTemplateException("A value is nested too deeply to be written.");
    }
    Iterator<T> iterator = items.iterator();
    newLine();
    writer.write(iterator.next());
    while (iterator.hasNext()) {
      out.append(style.comma());
      newLine();
      writer.write(iterator.next());
    }
    depth--;
    newLine();
    out.append(close);
  }

  private void newLine() {
    if (style.multiline()) {
      budget.work((long) depth * style.indent().length());
      out.append('\n').repeat(style.indent(), depth);
    }
  }

  private void string(Text text) {
    String string = text.string();
    budget.work(string.length());
    trusted &= text.isTrusted();
    out.append('"');
    for (int i = 0; i < string.length(); i++) {
      char letter = string.charAt(i);
      switch (letter) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> {
          if (letter < ' ' || (style.asciiOnly() && letter > '~')) {
            out.append("\\u%04x".formatted((int) letter));
          } else {
            out.append(letter);
          }
        }
      }
    }
    out.append('"');
  }
}
