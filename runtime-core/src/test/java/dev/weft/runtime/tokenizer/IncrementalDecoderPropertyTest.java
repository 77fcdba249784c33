package dev.weft.runtime.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.tokenizer.Tokenizer.IncrementalDecoder;
import java.io.ByteArrayOutputStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/// Whatever the model says, a stream is the text of the whole, cut at characters.
class IncrementalDecoderPropertyTest {
  private static final Tokenizer TOKENIZER = Tokenizers.open(SmallVocabularies.byteLevel("smollm"));

  @Property
  void aStreamOfAnyTokensIsTheTextOfTheirBytes(@ForAll("tokens") int[] tokens) {
    IncrementalDecoder decoder = TOKENIZER.incrementalDecoder(false);
    StringBuilder streamed = new StringBuilder();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int token : tokens) {
      String text = decoder.add(token);
      assertThat(text.isEmpty() || !Character.isHighSurrogate(text.charAt(text.length() - 1)))
          .isTrue();
      streamed.append(text);
      bytes.writeBytes(TOKENIZER.tokenBytes(token));
    }
    streamed.append(decoder.finish());
    assertThat(streamed.toString()).isEqualTo(TOKENIZER.decode(tokens, false));
    assertThat(streamed.toString()).isEqualTo(wholeText(bytes.toByteArray()));
  }

  @Property
  void aStreamOfATextsTokensIsTheText(@ForAll("texts") String text) {
    int[] tokens = TOKENIZER.encode(text, false, false);
    IncrementalDecoder decoder = TOKENIZER.incrementalDecoder(true);
    StringBuilder streamed = new StringBuilder();
    for (int token : tokens) {
      String next = decoder.add(token);
      assertThat(next).doesNotContain("\uFFFD");
      streamed.append(next);
    }
    assertThat(decoder.finish()).isEmpty();
    assertThat(streamed.toString()).isEqualTo(text);
  }

  @Provide
  Arbitrary<int[]> tokens() {
    return Arbitraries.integers()
        .between(0, TOKENIZER.vocabularySize())
        .array(int[].class)
        .ofMaxSize(40);
  }

  @Provide
  Arbitrary<String> texts() {
    return Arbitraries.of(
            "a",
            " ",
            "\n",
            "hello",
            "ß",
            "e\u0301",
            "日",
            "本語",
            "\uD83D\uDE00",
            "\uD83D\uDC69\u200D\uD83D\uDC67",
            "\uD83C\uDDF3\uD83C\uDDF4",
            "<|im_end|>",
            "\u0000",
            "12")
        .list()
        .ofMaxSize(30)
        .map(parts -> String.join("", parts));
  }

  /// The JDK's decoder agrees with Unicode's recommendation but for encoded surrogates, where it
  /// sees one fault in three bytes; those bytes are broken up for it.
  private static String wholeText(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    int start = 0;
    for (int i = 0; i < bytes.length; i++) {
      boolean surrogate =
          (bytes[i] & 0xFF) == 0xED
              && i + 1 < bytes.length
              && (bytes[i + 1] & 0xFF) >= 0xA0
              && (bytes[i + 1] & 0xFF) <= 0xBF;
      if (surrogate) {
        text.append(new String(bytes, start, i - start, UTF_8)).append('\uFFFD');
        start = i + 1;
      }
    }
    return text.append(new String(bytes, start, bytes.length - start, UTF_8)).toString();
  }
}
