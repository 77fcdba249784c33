package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Python's `format % values`, for `%s`, `%r`, `%d`, `%f`, `%x` and `%%` with flags `-` and `0`,
/// width and precision.
final class PercentFormat {
  private static final Pattern DIRECTIVE =
      Pattern.compile(
          "%(?<flags>[-0]*)(?<width>\\d{0,4})(?:\\.(?<precision>\\d{1,2}))?(?<kind>.)",
          Pattern.DOTALL);

  private final Budget budget;

  PercentFormat(Budget budget) {
    this.budget = budget;
  }

  Text format(Text format, Value values) {
    List<Value> all =
        values instanceof Sequence(List<Value> items, boolean tuple) && tuple
            ? items
            : List.of(values);
    Iterator<Value> next = all.iterator();
    Text.Builder out = new Text.Builder();
    Matcher matcher = DIRECTIVE.matcher(format.string());
    int done = 0;
    while (matcher.find()) {
      out.append(format, done, matcher.start());
      done = matcher.end();
      if (matcher.group("kind").equals("%")) {
        out.append(Text.trusted("%"));
      } else {
        out.append(directive(matcher, next));
      }
      budget.work(out.length() - (long) matcher.start());
    }
    out.append(format, done, format.string().length());
    if (next.hasNext()) {
      throw new ChatTemplateException("A format takes fewer values than it is given.");
    }
    return out.build();
  }

  private Text directive(Matcher matcher, Iterator<Value> next) {
    if (!next.hasNext()) {
      throw new ChatTemplateException("A format takes more values than it is given.");
    }
    Value value = next.next();
    String precision = matcher.group("precision");
    Text text =
        switch (matcher.group("kind")) {
          case "s" -> PythonText.str(value, budget);
          case "r" -> PythonText.repr(value, budget);
          case "d", "i" -> Text.trusted(Long.toString((long) Operators.number(value)));
          case "x" -> Text.trusted(Long.toHexString(Operators.integer(value)));
          case "f" -> Text.trusted(fixed(Operators.number(value), precision));
          default ->
              throw new ChatTemplateException(
                  "The format '" + matcher.group() + "' is not supported.");
        };
    return padded(text, matcher.group("flags"), matcher.group("width"));
  }

  private static String fixed(double number, @Nullable String precision) {
    int digits = precision == null ? 6 : Integer.parseInt(precision);
    return new BigDecimal(number).setScale(digits, RoundingMode.HALF_EVEN).toPlainString();
  }

  private static Text padded(Text text, String flags, String width) {
    int missing = width.isEmpty() ? 0 : Integer.parseInt(width) - text.length();
    if (missing <= 0) {
      return text;
    }
    if (flags.contains("-")) {
      return text.plus(Text.trusted(" ".repeat(missing)));
    }
    return Text.trusted((flags.contains("0") ? "0" : " ").repeat(missing)).plus(text);
  }
}
