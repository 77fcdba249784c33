package dev.weft.runtime.tokenizer.template;

import java.util.Locale;

/// Upper and lower case as Python's strings have them.
final class Capitals {
  private Capitals() {}

  static String capitalize(String string) {
    if (string.isEmpty()) {
      return string;
    }
    int second = string.offsetByCodePoints(0, 1);
    return titleCase(string.codePointAt(0)) + string.substring(second).toLowerCase(Locale.ROOT);
  }

  /// Every letter after something that is not a letter is a capital.
  static String title(String string) {
    StringBuilder titled = new StringBuilder(string.length());
    boolean inWord = false;
    for (int letter : string.codePoints().toArray()) {
      String one = Character.toString(letter);
      titled.append(inWord ? one.toLowerCase(Locale.ROOT) : titleCase(letter));
      inWord = isCased(letter);
    }
    return titled.toString();
  }

  /// Jinja's filter: words begin after white space, `-` and opening brackets only.
  static String titleFilter(String string) {
    StringBuilder titled = new StringBuilder(string.length());
    boolean inWord = false;
    for (int letter : string.codePoints().toArray()) {
      String one = Character.toString(letter);
      titled.append(inWord ? one.toLowerCase(Locale.ROOT) : one.toUpperCase(Locale.ROOT));
      boolean space = letter <= Character.MAX_VALUE && WhiteSpace.is((char) letter);
      inWord = !space && "-({[<".indexOf(letter) < 0;
    }
    return titled.toString();
  }

  static boolean isUpper(String string) {
    return string.codePoints().anyMatch(Character::isUpperCase)
        && string.codePoints().noneMatch(Character::isLowerCase);
  }

  static boolean isLower(String string) {
    return string.codePoints().anyMatch(Character::isLowerCase)
        && string.codePoints().noneMatch(Character::isUpperCase);
  }

  private static String titleCase(int letter) {
    int title = Character.toTitleCase(letter);
    return title != letter
        ? Character.toString(title)
        : Character.toString(letter).toUpperCase(Locale.ROOT);
  }

  private static boolean isCased(int letter) {
    return Character.isUpperCase(letter)
        || Character.isLowerCase(letter)
        || Character.isTitleCase(letter);
  }
}
