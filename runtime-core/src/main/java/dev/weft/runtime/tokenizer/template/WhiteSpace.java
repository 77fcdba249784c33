package dev.weft.runtime.tokenizer.template;

/// White space as Python's strings have it.
final class WhiteSpace {
  private WhiteSpace() {}

  static boolean is(char letter) {
    return Character.isSpaceChar(letter)
        || (letter >= '\t' && letter <= '\r')
        || (letter >= '\u001c' && letter <= '\u001f')
        || letter == '\u0085';
  }

  /// What `splitlines` splits at.
  static boolean endsLine(char letter) {
    return (letter >= '\n' && letter <= '\r')
        || (letter >= '\u001c' && letter <= '\u001e')
        || letter == '\u0085'
        || letter == '\u2028'
        || letter == '\u2029';
  }

  /// The first offset from `start` on that is not white space.
  static int skip(String text, int start) {
    int end = start;
    while (end < text.length() && is(text.charAt(end))) {
      end++;
    }
    return end;
  }

  static boolean isAll(String text, int start) {
    return skip(text, start) == text.length();
  }

  static String stripEnd(String text) {
    int end = text.length();
    while (end > 0 && is(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(0, end);
  }
}
