package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;

/// Escapes in string literals, as in Python: an escape that is not known stays as written.
final class StringEscapes {
  private StringEscapes() {}

  static String unescape(String written) {
    if (written.indexOf('\\') < 0) {
      return written;
    }
    StringBuilder text = new StringBuilder(written.length());
    int at = 0;
    while (at < written.length()) {
      char letter = written.charAt(at++);
      if (letter != '\\' || at == written.length()) {
        text.append(letter);
        continue;
      }
      char escape = written.charAt(at++);
      switch (escape) {
        case '\n' -> {}
        case 'n' -> text.append('\n');
        case 't' -> text.append('\t');
        case 'r' -> text.append('\r');
        case 'a' -> text.append('\u0007');
        case 'b' -> text.append('\b');
        case 'f' -> text.append('\f');
        case 'v' -> text.append('\u000b');
        case '\\', '\'', '"' -> text.append(escape);
        case 'x' -> at = codePoint(written, at, 2, text);
        case 'u' -> at = codePoint(written, at, 4, text);
        case 'U' -> at = codePoint(written, at, 8, text);
        default -> {
          if (escape >= '0' && escape <= '7') {
            at = octal(written, at - 1, text);
          } else {
            text.append('\\').append(escape);
          }
        }
      }
    }
    return text.toString();
  }

  private static int codePoint(String written, int at, int digits, StringBuilder text) {
    try {
      int value = Integer.parseInt(written, at, at + digits, 16);
      text.appendCodePoint(value);
      return at + digits;
    } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
      throw new ChatTemplateException("A string has an escape that is cut short or out of range.");
    }
  }

  private static int octal(String written, int start, StringBuilder text) {
    int at = start;
    int value = 0;
    while (at < written.length()
        && at < start + 3
        && written.charAt(at) >= '0'
        && written.charAt(at) <= '7') {
      value = value * 8 + (written.charAt(at++) - '0');
    }
    text.append((char) value);
    return at;
  }
}
