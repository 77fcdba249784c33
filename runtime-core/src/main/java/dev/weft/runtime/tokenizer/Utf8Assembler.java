package dev.weft.runtime.tokenizer;

import java.util.Arrays;

/// Bytes that arrive in pieces, as characters. It holds back at most the three bytes that may still
/// become a character.
///
/// Written out because the JDK's decoder and Hugging Face's disagree about encoded surrogates, and
/// tokens of a model can be any bytes. Source: Unicode 16, section 3.9, table 3-7 and "substitution
/// of maximal subparts".
final class Utf8Assembler {
  /// What invalid bytes become.
  enum Replacement {
    /// One U+FFFD for each maximal part of a sequence that cannot be completed.
    PER_SEQUENCE,
    /// One U+FFFD for each byte.
    PER_BYTE
  }

  private static final char REPLACEMENT = '\uFFFD';

  private final Replacement replacement;
  private byte[] held = new byte[0];

  Utf8Assembler(Replacement replacement) {
    this.replacement = replacement;
  }

  /// The characters that are certain once these bytes have come.
  String add(byte[] bytes) {
    byte[] all = joined(bytes);
    StringBuilder text = new StringBuilder(all.length);
    int at = 0;
    while (at < all.length) {
      int valid = validPrefix(all, at);
      int expected = expectedLength(all[at]);
      if (expected > 0 && valid == expected) {
        text.appendCodePoint(codePoint(all, at, expected));
        at += expected;
      } else if (at + valid == all.length && valid > 0) {
        break;
      } else {
        at += replace(text, Math.max(valid, 1));
      }
    }
    held = Arrays.copyOfRange(all, at, all.length);
    return text.toString();
  }

  /// What the bytes held back become when none follow.
  String finish() {
    StringBuilder text = new StringBuilder();
    if (held.length > 0) {
      replace(text, held.length);
      held = new byte[0];
    }
    return text.toString();
  }

  private byte[] joined(byte[] bytes) {
    if (held.length == 0) {
      return bytes;
    }
    byte[] all = Arrays.copyOf(held, held.length + bytes.length);
    System.arraycopy(bytes, 0, all, held.length, bytes.length);
    return all;
  }

  private int replace(StringBuilder text, int invalidBytes) {
    text.repeat(REPLACEMENT, replacement == Replacement.PER_BYTE ? invalidBytes : 1);
    return invalidBytes;
  }

  /// How many bytes from `at` on may begin one character; 0 when the first cannot.
  private static int validPrefix(byte[] bytes, int at) {
    int expected = expectedLength(bytes[at]);
    int length = expected == 0 ? 0 : 1;
    while (length < expected
        && at + length < bytes.length
        && continues(bytes[at], bytes[at + length], length)) {
      length++;
    }
    return length;
  }

  /// Length of the sequence that starts with this byte, 0 when none does.
  private static int expectedLength(byte first) {
    int lead = first & 0xFF;
    if (lead < 0x80) {
      return 1;
    } else if (lead < 0xC2) {
      return 0;
    } else if (lead < 0xE0) {
      return 2;
    } else if (lead < 0xF0) {
      return 3;
    }
    return lead < 0xF5 ? 4 : 0;
  }

  private static boolean continues(byte first, byte next, int index) {
    int value = next & 0xFF;
    int lowest = 0x80;
    int highest = 0xBF;
    if (index == 1) {
      switch (first & 0xFF) {
        case 0xE0 -> lowest = 0xA0;
        case 0xED -> highest = 0x9F;
        case 0xF0 -> lowest = 0x90;
        case 0xF4 -> highest = 0x8F;
        default -> {}
      }
    }
    return value >= lowest && value <= highest;
  }

  private static int codePoint(byte[] bytes, int at, int length) {
    if (length == 1) {
      return bytes[at];
    }
    int value = bytes[at] & (0x7F >> length);
    for (int i = 1; i < length; i++) {
      value = value << 6 | (bytes[at + i] & 0x3F);
    }
    return value;
  }
}
