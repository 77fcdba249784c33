package dev.weft.functions;

import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Durations as people write them: a whole number and one of `ms`, `s`, `m`, `h`, as in `500ms` or
/// `5m`. ISO-8601 (`PT5M`) is read as well, and written only for what the short form cannot say.
public final class DurationText {
  static final Pattern SHORT = Pattern.compile("(\\d{1,18})(ms|s|m|h)");

  private DurationText() {}

  /// Throws [IllegalArgumentException] with a sentence that shows the right form.
  public static Duration parse(String text) {
    try {
      Matcher matcher = SHORT.matcher(text);
      if (!matcher.matches()) {
        return Duration.parse(text);
      }
      long amount = Long.parseLong(matcher.group(1));
      return switch (matcher.group(2)) {
        case "ms" -> Duration.ofMillis(amount);
        case "s" -> Duration.ofSeconds(amount);
        case "m" -> Duration.ofMinutes(amount);
        case "h" -> Duration.ofHours(amount);
        default -> throw new AssertionError(text);
      };
    } catch (DateTimeParseException | ArithmeticException e) {
      throw new IllegalArgumentException(
          "'%s' is not a duration: write 500ms, 2s, 5m, 1h or ISO-8601 such as PT1M30S"
              .formatted(text),
          e);
    }
  }

  /// The shortest exact form, in the largest unit that divides the duration.
  public static String format(Duration duration) {
    if (duration.isNegative() || duration.toNanosPart() % 1_000_000 != 0) {
      return duration.toString();
    }
    long seconds = duration.toSeconds();
    if (duration.toNanosPart() != 0) {
      return seconds > Long.MAX_VALUE / 1_000 - 1
          ? duration.toString()
          : duration.toMillis() + "ms";
    }
    if (seconds == 0 || seconds % 60 != 0) {
      return seconds + "s";
    }
    return seconds % 3_600 == 0 ? seconds / 3_600 + "h" : seconds / 60 + "m";
  }
}
