package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;

/// Jinja's filters over single values; those over lists are in [ListFilters].
final class Filters {
  private final Budget budget;
  private final StringMethods strings;
  private final ListFilters lists;

  Filters(Budget budget, Operators operators, Members members, Tests tests) {
    this.budget = budget;
    this.strings = new StringMethods(budget, operators);
    this.lists = new ListFilters(budget, operators, members, tests, this);
  }

  Value apply(String name, Value value, Arguments arguments) {
    budget.step();
    return switch (name) {
      case "trim" -> strings.strip(str(value), arguments, true, true);
      case "upper" -> changed(value, str(value).string().toUpperCase(Locale.ROOT));
      case "lower" -> changed(value, str(value).string().toLowerCase(Locale.ROOT));
      case "capitalize" -> changed(value, Capitals.capitalize(str(value).string()));
      case "title" -> changed(value, Capitals.titleFilter(str(value).string()));
      case "replace" -> strings.replace(str(value), arguments);
      case "string" -> str(value);
      // Nothing is escaped here, so nothing has to be marked.
      case "safe" -> value;
      case "tojson" -> json(value, arguments);
      case "indent" -> indent(str(value), arguments);
      case "format" -> new PercentFormat(budget).format(str(value), formatted(arguments));
      case "length", "count" -> length(value);
      case "default", "d" -> otherwise(value, arguments);
      case "int" -> integer(value, arguments);
      case "float" -> floating(value, arguments);
      case "abs" -> absolute(value);
      case "round" -> round(value, arguments);
      default -> lists.apply(name, value, arguments);
    };
  }

  private Text str(Value value) {
    return PythonText.str(value, budget);
  }

  private Text changed(Value value, String result) {
    budget.work(result.length());
    return str(value).derived(result);
  }

  private static Value formatted(Arguments arguments) {
    return new Sequence(arguments.positional(), true);
  }

  private static Value length(Value value) {
    return Value.of(
        Operators.length(value)
            .orElseThrow(
                () -> new ChatTemplateException(Members.described(value) + " has no length.")));
  }

  private static Value otherwise(Value value, Arguments arguments) {
    boolean absent =
        value instanceof Value.Undefined
            || (arguments.flag(1, "boolean", false) && !Operators.isTrue(value));
    return absent ? arguments.get(0, "default_value", Text.EMPTY) : value;
  }

  private Value json(Value value, Arguments arguments) {
    Value indent = arguments.get(0, "indent", Value.None.NONE);
    boolean multiline = !(indent instanceof Value.None);
    String step =
        switch (indent) {
          case Value.None _ -> "";
          case Text text -> text.string();
          default -> " ".repeat(Math.clamp(Operators.integer(indent), 0, 100));
        };
    String comma = multiline ? "," : ", ";
    String colon = ": ";
    if (arguments.find(1, "separators") instanceof Sequence(List<Value> separators, _)
        && separators.size() == 2) {
      comma = str(separators.get(0)).string();
      colon = str(separators.get(1)).string();
    }
    JsonText.Style style =
        new JsonText.Style(
            step,
            multiline,
            arguments.flag(3, "ensure_ascii", false),
            arguments.flag(2, "sort_keys", false),
            comma,
            colon);
    return JsonText.write(value, style, budget);
  }

  /// Indents all lines but the first and, unless asked, the empty ones.
  private Text indent(Text text, Arguments arguments) {
    Value width = arguments.get(0, "width", Value.of(4));
    Text step =
        width instanceof Text given
            ? given
            : Text.trusted(" ".repeat(Math.clamp(Operators.integer(width), 0, 1000)));
    boolean blank = arguments.flag(2, "blank", false);
    Text.Builder result = new Text.Builder();
    if (arguments.flag(1, "first", false)) {
      result.append(step);
    }
    Text newline = Text.trusted("\n");
    List<Value> lines = strings.lines(text.plus(newline), false);
    for (int i = 0; i < lines.size(); i++) {
      Text line = (Text) lines.get(i);
      budget.work((long) step.string().length() + line.string().length() + 1);
      if (i > 0) {
        result.append(newline);
      }
      if (i > 0 && (blank || !line.string().isEmpty())) {
        result.append(step);
      }
      result.append(line);
    }
    return result.build();
  }

  private static Value integer(Value value, Arguments arguments) {
    Value otherwise = arguments.get(0, "default", Value.of(0));
    return switch (value) {
      case Value.Int number -> number;
      case Value.Bool(boolean bool) -> Value.of(bool ? 1 : 0);
      case Value.Real(double number) ->
          Double.isFinite(number) ? Value.of((long) number) : otherwise;
      case Text text -> {
        int base = arguments.integer(1, "base", 10);
        String digits = withoutPrefix(text.string().strip().replace("_", ""), base);
        try {
          yield Value.of(Long.parseLong(digits, base));
        } catch (NumberFormatException _) {
          yield floating(value, Arguments.NONE) instanceof Value.Real(double number)
                  && isDecimal(digits)
              ? Value.of((long) number)
              : otherwise;
        }
      }
      default -> otherwise;
    };
  }

  private static String withoutPrefix(String digits, int base) {
    String lower = digits.toLowerCase(Locale.ROOT);
    boolean prefixed =
        (base == 16 && lower.startsWith("0x"))
            || (base == 8 && lower.startsWith("0o"))
            || (base == 2 && lower.startsWith("0b"));
    return prefixed ? digits.substring(2) : digits;
  }

  private static Value floating(Value value, Arguments arguments) {
    Value otherwise = arguments.get(0, "default", new Value.Real(0));
    return switch (value) {
      case Value.Real number -> number;
      case Value.Int _, Value.Bool _ -> new Value.Real(Operators.integer(value));
      case Text text when isDecimal(text.string().strip()) ->
          new Value.Real(Double.parseDouble(text.string().strip()));
      default -> otherwise;
    };
  }

  private static boolean isDecimal(String digits) {
    return digits.length() < 400 && digits.matches("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?");
  }

  private static Value absolute(Value value) {
    if (value instanceof Value.Real(double number)) {
      return new Value.Real(Math.abs(number));
    }
    return Value.of(Math.abs(Operators.integer(value)));
  }

  private static Value round(Value value, Arguments arguments) {
    int precision = Math.clamp(arguments.integer(0, "precision", 0), -300, 300);
    RoundingMode mode =
        switch (arguments.string(1, "method", "common")) {
          case "common" -> RoundingMode.HALF_EVEN;
          case "ceil" -> RoundingMode.CEILING;
          case "floor" -> RoundingMode.FLOOR;
          default -> throw new ChatTemplateException("'round' takes 'common', 'ceil' or 'floor'.");
        };
    if (Operators.isInteger(value) && mode == RoundingMode.HALF_EVEN) {
      return Value.of(
          new BigDecimal(Operators.integer(value)).setScale(precision, mode).longValue());
    }
    double number = Operators.number(value);
    if (!Double.isFinite(number)) {
      return value;
    }
    return new Value.Real(new BigDecimal(number).setScale(precision, mode).doubleValue());
  }

  /// A filter that another filter names, as `map` does.
  Value named(Value name, Value value, Arguments arguments) {
    if (name instanceof Text text) {
      return apply(text.string(), value, arguments);
    }
    throw new ChatTemplateException("The name of a filter must be a string.");
  }
}
