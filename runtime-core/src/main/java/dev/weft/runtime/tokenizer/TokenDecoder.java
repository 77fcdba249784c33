package dev.weft.runtime.tokenizer;

import dev.weft.runtime.tokenizer.Tokenizer.IncrementalDecoder;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// How spellings of tokens become text again.
sealed interface TokenDecoder {
  /// SentencePiece's visible space, U+2581.
  char VISIBLE_SPACE = '\u2581';

  /// The bytes that a token stands for by itself.
  byte[] bytes(String token);

  /// A decoder at the start of a text.
  Assembly start();

  /// Takes the spellings of tokens one by one.
  interface Assembly {
    String add(String token);

    String finish();
  }

  /// Every letter of a token is one byte, by GPT-2's table.
  record ByteLevel() implements TokenDecoder {
    @Override
    public byte[] bytes(String token) {
      return ByteLevelAlphabet.bytes(token);
    }

    @Override
    public Assembly start() {
      return new ByteAssembly(this, 0, Utf8Assembler.Replacement.PER_SEQUENCE);
    }
  }

  /// SentencePiece: [#VISIBLE_SPACE] is a space, and `<0xNN>` is a byte when `byteFallback` is set.
  ///
  /// An invalid byte becomes one U+FFFD, as in SentencePiece. Hugging Face's decoder differs in one
  /// case: an invalid byte spoils the whole run of byte tokens around it, valid characters
  /// included, which could only be known once the run has ended.
  ///
  /// @param leadingSpaces how many spaces the decoder takes off the start of a text
  record SentencePiece(boolean byteFallback, int leadingSpaces) implements TokenDecoder {
    @Override
    public byte[] bytes(String token) {
      if (byteFallback && isByte(token)) {
        return new byte[] {(byte) Integer.parseInt(token.substring(3, 5), 16)};
      }
      return token.replace(VISIBLE_SPACE, ' ').getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public Assembly start() {
      return new ByteAssembly(this, leadingSpaces, Utf8Assembler.Replacement.PER_BYTE);
    }

    private static boolean isByte(String token) {
      return token.length() == 6
          && token.startsWith("<0x")
          && token.charAt(5) == '>'
          && Character.digit(token.charAt(3), 16) >= 0
          && Character.digit(token.charAt(4), 16) >= 0;
    }
  }

  /// Unigram models: the visible space is a space, but none at the start of the text.
  record Metaspace(char replacement, boolean dropsFirst) implements TokenDecoder {
    @Override
    public byte[] bytes(String token) {
      return token.replace(replacement, ' ').getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public Assembly start() {
      return new Assembly() {
        private boolean first = true;

        @Override
        public String add(String token) {
          boolean drops = first && dropsFirst;
          first = false;
          return drops
              ? token.replace(String.valueOf(replacement), "")
              : token.replace(replacement, ' ');
        }

        @Override
        public String finish() {
          return "";
        }
      };
    }
  }

  /// WordPiece: a token without the prefix starts a word.
  ///
  /// @param prefix marks the pieces that continue a word; null when every token is a word
  /// @param cleanup joins punctuation and English contractions to the word before
  record WordPiece(@Nullable String prefix, boolean cleanup) implements TokenDecoder {
    @Override
    public byte[] bytes(String token) {
      return withoutPrefix(token).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public Assembly start() {
      return new Assembly() {
        private boolean first = true;

        @Override
        public String add(String token) {
          String text = first ? token : continues(token) ? withoutPrefix(token) : " " + token;
          first = false;
          return cleanup ? cleaned(text) : text;
        }

        @Override
        public String finish() {
          return "";
        }
      };
    }

    private boolean continues(String token) {
      return prefix != null && token.startsWith(prefix);
    }

    private String withoutPrefix(String token) {
      return prefix != null && token.startsWith(prefix) ? token.substring(prefix.length()) : token;
    }

    private static String cleaned(String text) {
      return text.replace(" .", ".")
          .replace(" ?", "?")
          .replace(" !", "!")
          .replace(" ,", ",")
          .replace(" ' ", "'")
          .replace(" n't", "n't")
          .replace(" 'm", "'m")
          .replace(" do not", " don't")
          .replace(" 's", "'s")
          .replace(" 've", "'ve")
          .replace(" 're", "'re");
    }
  }

  /// Joins the bytes of tokens and cuts them at characters.
  final class ByteAssembly implements Assembly {
    private final TokenDecoder decoder;
    private final Utf8Assembler utf8;
    private int leadingSpaces;

    private ByteAssembly(
        TokenDecoder decoder, int leadingSpaces, Utf8Assembler.Replacement replacement) {
      this.decoder = decoder;
      this.leadingSpaces = leadingSpaces;
      this.utf8 = new Utf8Assembler(replacement);
    }

    @Override
    public String add(String token) {
      return withoutLeadingSpaces(utf8.add(decoder.bytes(token)));
    }

    @Override
    public String finish() {
      return withoutLeadingSpaces(utf8.finish());
    }

    private String withoutLeadingSpaces(String text) {
      if (leadingSpaces == 0 || text.isEmpty()) {
        return text;
      }
      int start = 0;
      while (start < text.length() && leadingSpaces > 0 && text.charAt(start) == ' ') {
        start++;
        leadingSpaces--;
      }
      if (start < text.length()) {
        leadingSpaces = 0;
      }
      return text.substring(start);
    }
  }

  /// The decoder over ids that the engine holds.
  static IncrementalDecoder over(TokenDecoder decoder, Vocabulary vocabulary, boolean skipSpecial) {
    Assembly assembly = decoder.start();
    return new IncrementalDecoder() {
      @Override
      public String add(int token) {
        String spelling = vocabulary.token(token);
        if (spelling == null || (skipSpecial && vocabulary.isSpecial(token))) {
          return "";
        }
        return assembly.add(spelling);
      }

      @Override
      public String finish() {
        return assembly.finish();
      }
    };
  }
}
