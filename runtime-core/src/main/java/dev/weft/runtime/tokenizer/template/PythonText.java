package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Map;

/// Values as Python's `str` and `repr` write them.
final class PythonText {
  private final StringBuilder out = new StringBuilder();
  private final Budget budget;
  private boolean trusted = true;
  private int depth;

  private PythonText(Budget budget) {
    this.budget = budget;
  }

  static Text str(Value value, Budget budget) {
    return switch (value) {
      case Text text -> text;
      case Value.Undefined _ -> Text.EMPTY;
      default -> repr(value, budget);
    };
  }

  static Text repr(Value value, Budget budget) {
    PythonText text = new PythonText(budget);
    text.write(value);
    String written = text.out.toString();
    return text.trusted ? Text.trusted(written) : Text.untrusted(written);
  }

  /// Shortest digits that read back as the same number, with Python's choice of exponent.
  static String floating(double number) {
    if (Double.isNaN(number)) {
      return "nan";
    }
    if (Double.isInfinite(number)) {
      return number > 0 ? "inf" : "-inf";
    }
    if (number == 0) {
      return 1 / number < 0 ? "-0.0" : "0.0";
    }
    BigDecimal shortest = shortest(number);
    int exponent = shortest.precision() - shortest.scale() - 1;
    if (exponent >= -4 && exponent < 16) {
      String plain = shortest.toPlainString();
      return plain.indexOf('.') < 0 ? plain + ".0" : plain;
    }
    String digits = shortest.unscaledValue().abs().toString();
    String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
    return "%s%c%se%c%02d"
        .formatted(
            number < 0 ? "-" : "",
            digits.charAt(0),
            fraction,
            exponent < 0 ? '-' : '+',
            Math.abs(exponent));
  }

  /// Java always writes two digits, even where one would do (4.9E-324).
  private static BigDecimal shortest(double number) {
    BigDecimal digits = new BigDecimal(Double.toString(number)).stripTrailingZeros();
    BigDecimal one = digits.round(new MathContext(1));
    return one.doubleValue() == number ? one : digits;
  }

  private void write(Value value) {
    depth++;
    if (depth > TemplateLimits.VALUE_DEPTH) {
      throw new ChatTemplateException("A value is nested too deeply to be written.");
    }
    budget.step();
    switch (value) {
      case Text text -> quoted(text);
      case Value.Int(long number) -> out.append(number);
      case Value.Real(double number) -> out.append(floating(number));
      case Value.Bool(boolean bool) -> out.append(bool ? "True" : "False");
      case Value.None _ -> out.append("None");
      case Value.Undefined _ -> out.append("Undefined");
      case Sequence sequence -> sequence(sequence);
      case Value.Mapping(Map<Value, Value> entries) -> mapping(entries);
      case Value.Namespace _ -> out.append("<Namespace>");
      case Value.Loop _ -> out.append("<LoopContext>");
      case Value.Callable(String name, _) -> out.append("<function ").append(name).append('>');
    }
    depth--;
  }

  private void sequence(Sequence sequence) {
    out.append(sequence.tuple() ? '(' : '[');
    String separator = "";
    for (Value item : sequence.items()) {
      out.append(separator);
      write(item);
      separator = ", ";
    }
    if (sequence.tuple() && sequence.items().size() == 1) {
      out.append(',');
    }
    out.append(sequence.tuple() ? ')' : ']');
  }

  private void mapping(Map<Value, Value> entries) {
    out.append('{');
    String separator = "";
    for (Map.Entry<Value, Value> entry : entries.entrySet()) {
      out.append(separator);
      write(entry.getKey());
      out.append(": ");
      write(entry.getValue());
      separator = ", ";
    }
    out.append('}');
  }

  private void quoted(Text text) {
    String string = text.string();
    budget.work(string.length());
    trusted &= text.isTrusted();
    char quote = string.indexOf('\'') >= 0 && string.indexOf('"') < 0 ? '"' : '\'';
    out.append(quote);
    string.codePoints().forEach(letter -> escaped(letter, quote));
    out.append(quote);
  }

  private void escaped(int letter, char quote) {
    switch (letter) {
      case '\n' -> out.append("\\n");
      case '\r' -> out.append("\\r");
      case '\t' -> out.append("\\t");
      case '\\' -> out.append("\\\\");
      default -> {
        if (letter == quote) {
          out.append('\\').append(quote);
        } else if (isPrintable(letter)) {
          out.appendCodePoint(letter);
        } else if (letter < 0x100) {
          out.append("\\x%02x".formatted(letter));
        } else if (letter < 0x10000) {
          out.append("\\u%04x".formatted(letter));
        } else {
          out.append("\\U%08x".formatted(letter));
        }
      }
    }
  }

  private static boolean isPrintable(int letter) {
    return letter == ' '
        || switch (Character.getType(letter)) {
          case Character.CONTROL,
              Character.FORMAT,
              Character.SURROGATE,
              Character.PRIVATE_USE,
              Character.UNASSIGNED,
              Character.LINE_SEPARATOR,
              Character.PARAGRAPH_SEPARATOR,
              Character.SPACE_SEPARATOR ->
              false;
          default -> true;
        };
  }
}
