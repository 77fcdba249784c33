package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/// Python's `strftime` in the C locale.
final class TimeFormat {
  private TimeFormat() {}

  static String format(String format, ZonedDateTime time) {
    StringBuilder out = new StringBuilder();
    int at = 0;
    while (at < format.length()) {
      char letter = format.charAt(at++);
      if (letter != '%') {
        out.append(letter);
        continue;
      }
      boolean unpadded = format.startsWith("-", at);
      at += unpadded ? 1 : 0;
      if (at == format.length()) {
        throw new ChatTemplateException("The time format ends with '%'.");
      }
      String part = part(format.charAt(at++), time);
      out.append(unpadded ? withoutZeros(part) : part);
    }
    return out.toString();
  }

  private static String withoutZeros(String number) {
    String stripped = number.replaceFirst("^[0 ]+", "");
    return stripped.isEmpty() ? "0" : stripped;
  }

  private static String part(char directive, ZonedDateTime time) {
    if (directive == '%') {
      return "%";
    }
    String pattern =
        switch (directive) {
          case 'Y' -> "yyyy";
          case 'y' -> "yy";
          case 'm' -> "MM";
          case 'd' -> "dd";
          case 'e' -> "ppd";
          case 'B' -> "MMMM";
          case 'b', 'h' -> "MMM";
          case 'A' -> "EEEE";
          case 'a' -> "EEE";
          case 'j' -> "DDD";
          case 'H' -> "HH";
          case 'I' -> "hh";
          case 'M' -> "mm";
          case 'S' -> "ss";
          case 'f' -> "SSSSSS";
          case 'p' -> "a";
          case 'z' -> "xx";
          case 'Z' -> "zzz";
          case 'F' -> "yyyy-MM-dd";
          case 'T' -> "HH:mm:ss";
          case 'R' -> "HH:mm";
          case 'D' -> "MM/dd/yy";
          case 'c' -> "EEE MMM ppd HH:mm:ss yyyy";
          case 'x' -> "MM/dd/yy";
          case 'X' -> "HH:mm:ss";
          default ->
              throw new ChatTemplateException(
                  "The time format '%" + directive + "' is not supported.");
        };
    return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
  }
}
