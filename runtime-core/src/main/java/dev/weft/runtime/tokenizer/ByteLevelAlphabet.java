package dev.weft.runtime.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// GPT-2's alphabet for bytes: printable Latin-1 letters stand for themselves, and the other 68
/// byte values take the letters from U+0100 on, in order. (So a space is U+0120.)
final class ByteLevelAlphabet {
  private static final int LETTERS = 0x100 + 68;
  private static final short[] BYTE_OF_LETTER = new short[LETTERS];

  static {
    Arrays.fill(BYTE_OF_LETTER, (short) -1);
    int shifted = 0x100;
    for (int value = 0; value < 256; value++) {
      int letter = isPrintable(value) ? value : shifted++;
      BYTE_OF_LETTER[letter] = (short) value;
    }
  }

  private ByteLevelAlphabet() {}

  /// The bytes that a token's letters stand for. A token with a letter outside the alphabet was
  /// added as text and stands for its own UTF-8.
  static byte[] bytes(String token) {
    byte[] bytes = new byte[token.length()];
    for (int i = 0; i < bytes.length; i++) {
      char letter = token.charAt(i);
      if (letter >= LETTERS || BYTE_OF_LETTER[letter] < 0) {
        return token.getBytes(StandardCharsets.UTF_8);
      }
      bytes[i] = (byte) BYTE_OF_LETTER[letter];
    }
    return bytes;
  }

  private static boolean isPrintable(int value) {
    return (value >= '!' && value <= '~')
        || (value >= 0xA1 && value <= 0xAC)
        || (value >= 0xAE && value <= 0xFF);
  }
}
