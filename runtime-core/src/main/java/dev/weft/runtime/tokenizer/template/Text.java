package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.Tokenizer.TextPart;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A string that remembers which of its letters a caller sent.
///
/// `flips` are the offsets at which trust changes, ascending; every string begins trusted, so a
/// trusted one has no flips and an untrusted one has the single flip 0. Two texts with the same
/// letters are equal, wherever they came from.
final class Text implements Value {
  private static final int[] TRUSTED = {};
  private static final int[] UNTRUSTED = {0};

  static final Text EMPTY = new Text("", TRUSTED);

  private final String string;
  private final int[] flips;

  private Text(String string, int[] flips) {
    this.string = string;
    this.flips = flips;
  }

  static Text trusted(String string) {
    return new Text(string, TRUSTED);
  }

  static Text untrusted(String string) {
    return new Text(string, string.isEmpty() ? TRUSTED : UNTRUSTED);
  }

  String string() {
    return string;
  }

  boolean isTrusted() {
    return flips.length == 0;
  }

  /// A string made out of this one by something that does not follow single letters.
  Text derived(String result) {
    return isTrusted() ? trusted(result) : untrusted(result);
  }

  Text substring(int start, int end) {
    if (start >= end) {
      return EMPTY;
    }
    if (isTrusted()) {
      return trusted(string.substring(start, end));
    }
    Builder part = new Builder();
    part.append(this, start, end);
    return part.build();
  }

  Text plus(Text other) {
    return new Builder().append(this).append(other).build();
  }

  /// Python's `len`: code points.
  int length() {
    return string.codePointCount(0, string.length());
  }

  /// The letter at a code point index from 0 to [#length].
  Text letter(int index) {
    int start = string.offsetByCodePoints(0, index);
    return substring(start, string.offsetByCodePoints(start, 1));
  }

  List<Value> letters() {
    List<Value> letters = new ArrayList<>();
    for (int start = 0; start < string.length(); ) {
      int end = string.offsetByCodePoints(start, 1);
      letters.add(substring(start, end));
      start = end;
    }
    return letters;
  }

  List<TextPart> parts() {
    List<TextPart> parts = new ArrayList<>();
    int start = 0;
    for (int i = 0; i <= flips.length; i++) {
      int end = i < flips.length ? flips[i] : string.length();
      if (start < end) {
        parts.add(new TextPart(string.substring(start, end), i % 2 == 0));
      }
      start = end;
    }
    return parts;
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Text text && text.string.equals(string);
  }

  @Override
  public int hashCode() {
    return string.hashCode();
  }

  @Override
  public String toString() {
    return string;
  }

  /// Puts texts together in time linear in their length.
  static final class Builder {
    private final StringBuilder string = new StringBuilder();
    private int[] flips = new int[4];
    private int flipCount;

    Builder append(Text text) {
      return append(text, 0, text.string.length());
    }

    Builder append(Text text, int start, int end) {
      int shift = string.length() - start;
      trustAt(string.length(), trustedAt(text, start), start < end);
      for (int flip : text.flips) {
        if (flip > start && flip < end) {
          flip(flip + shift);
        }
      }
      string.append(text.string, start, end);
      return this;
    }

    int length() {
      return string.length();
    }

    Text build() {
      return new Text(
          string.toString(), flipCount == 0 ? TRUSTED : Arrays.copyOf(flips, flipCount));
    }

    private void trustAt(int offset, boolean trusted, boolean notEmpty) {
      boolean current = flipCount % 2 == 0;
      if (notEmpty && current != trusted) {
        flip(offset);
      }
    }

    private void flip(int offset) {
      if (flipCount == flips.length) {
        flips = Arrays.copyOf(flips, flipCount * 2);
      }
      flips[flipCount++] = offset;
    }

    private static boolean trustedAt(Text text, int offset) {
      int index = Arrays.binarySearch(text.flips, offset);
      int passed = index >= 0 ? index + 1 : -index - 1;
      return passed % 2 == 0;
    }
  }
}
