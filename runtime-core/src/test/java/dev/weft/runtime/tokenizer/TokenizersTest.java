package dev.weft.runtime.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.tokenizer.Tokenizer.IncrementalDecoder;
import dev.weft.runtime.tokenizer.Tokenizer.TextPart;
import dev.weft.runtime.weights.ModelFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizersTest {
  private static final String BERT_JSON =
      """
      {"version": "1.0",
       "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
       "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
                   "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
       "added_tokens": [
         {"id": 0, "content": "[PAD]", "special": true, "single_word": false, "lstrip": false,
          "rstrip": false, "normalized": false},
         {"id": 1, "content": "[CLS]", "special": true, "single_word": false, "lstrip": false,
          "rstrip": false, "normalized": false},
         {"id": 2, "content": "[SEP]", "special": true, "single_word": false, "lstrip": true,
          "rstrip": true, "normalized": false},
         {"id": 3, "content": "[UNK]", "special": true, "single_word": false, "lstrip": false,
          "rstrip": false, "normalized": false}],
       "normalizer": {"type": "Lowercase"},
       "pre_tokenizer": {"type": "BertPreTokenizer"},
       "post_processor": {"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
         "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
         "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
                            "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}},
       "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
       "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                 "max_input_chars_per_word": 100,
                 "vocab": {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "one": 4, "two": 5,
                           "##s": 6, "[": 7, "]": 8, "sep": 9}}}
      """;

  @TempDir Path directory;

  @Test
  void textBecomesSpecialTokensOnlyWhereItIsTrusted() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("smollm"))) {
      String text = "<|im_end|>";
      assertThat(tokenizer.encode(text, false, true)).containsExactly(SmallVocabularies.END);
      int[] letters = tokenizer.encode(text, false, false);
      assertThat(letters).hasSizeGreaterThan(1).doesNotContain(SmallVocabularies.END);
      assertThat(tokenizer.decode(letters, true)).isEqualTo(text);
    }
  }

  @Test
  void specialTokensAcrossTheBorderOfTrustStayLetters() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("smollm"))) {
      int[] tokens =
          tokenizer.encode(
              List.of(new TextPart("<|im_", true), new TextPart("end|>", false)), false);
      assertThat(tokens).isEqualTo(tokenizer.encode("<|im_end|>", false, false));
      int[] whole =
          tokenizer.encode(
              List.of(new TextPart("<|im_", true), new TextPart("end|>", true)), false);
      assertThat(whole).containsExactly(SmallVocabularies.END);
    }
  }

  @Test
  void ordinaryTextIsTheSameTrustedOrNot() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("smollm"))) {
      for (String text :
          List.of("hello world", "he llo\n\n 12", "< |im|>", "日本 \uD83D\uDE00", "")) {
        assertThat(tokenizer.encode(text, true, true))
            .isEqualTo(tokenizer.encode(text, true, false));
      }
      assertThat(tokenizer.encode("a<note>b", false, false)).contains(SmallVocabularies.NOTE);
    }
  }

  @Test
  void unpairedSurrogatesAreReplacedAndZerosKept() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("smollm"))) {
      assertThat(roundTrip(tokenizer, "a\uD800b\uDC00")).isEqualTo("a\uFFFDb\uFFFD");
      assertThat(roundTrip(tokenizer, "x\0y")).isEqualTo("x\0y");
    }
  }

  @Test
  void tokensGiveTheirBytes() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("smollm"))) {
      int[] tokens = tokenizer.encode(" w\uD83D\uDE00", false, false);
      assertThat(tokenizer.tokenBytes(tokens[0])).isEqualTo(" w".getBytes(UTF_8));
      assertThat(tokenizer.tokenBytes(tokens[1])).containsExactly(0xF0);
      assertThat(tokenizer.tokenBytes(SmallVocabularies.END))
          .isEqualTo("<|im_end|>".getBytes(UTF_8));
      assertThat(tokenizer.tokenBytes(99_999)).isEmpty();
      assertThat(tokenizer.tokenBytes(-1)).isEmpty();
    }
  }

  @Test
  void aCharacterComesWithItsLastByte() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("smollm"))) {
      IncrementalDecoder decoder = tokenizer.incrementalDecoder(true);
      int[] tokens = tokenizer.encode("\uD83D\uDE00", false, false);
      assertThat(tokens).hasSize(4);
      assertThat(decoder.add(tokens[0])).isEmpty();
      assertThat(decoder.add(tokens[1])).isEmpty();
      assertThat(decoder.add(tokens[2])).isEmpty();
      assertThat(decoder.add(tokens[3])).isEqualTo("\uD83D\uDE00");
      assertThat(decoder.add(tokens[0])).isEmpty();
      assertThat(decoder.add(SmallVocabularies.END)).isEmpty();
      assertThat(decoder.finish()).isEqualTo("\uFFFD");
    }
  }

  @Test
  void endTokensAreThoseOfTheFileAndTheKnownControlTokens() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("smollm"))) {
      assertThat(tokenizer.endTokens()).containsExactlyInAnyOrder(256, SmallVocabularies.END);
      assertThat(tokenizer.specialTokens())
          .containsEntry("bos_token", "<|im_start|>")
          .containsEntry("eos_token", "<|im_end|>");
    }
  }

  @Test
  void wordPiecesOfAGgufFileAreFramedAndJoined() {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.wordPieces())) {
      int[] tokens = tokenizer.encode("Hello, WORLD [SEP]", true, false);
      assertThat(tokens).startsWith(2, 4, 7, 5, 6).endsWith(3).contains(1);
      assertThat(tokenizer.decode(new int[] {2, 4, 7, 5, 6, 3}, true)).isEqualTo("hello, world");
    }
  }

  @Test
  void aTokenizerJsonNeitherCutsNorPads() throws IOException {
    try (Tokenizer tokenizer = open(BERT_JSON)) {
      assertThat(tokenizer.encode("One twos one", true, false)).containsExactly(1, 4, 5, 6, 4, 2);
      assertThat(tokenizer.encode("one  [SEP]  two", false, true)).containsExactly(4, 2, 5);
      assertThat(tokenizer.encode("one [SEP]", false, false)).containsExactly(4, 7, 9, 8);
      assertThat(tokenizer.encode("nothing", false, false)).containsExactly(3);
      assertThat(tokenizer.vocabularySize()).isEqualTo(10);
    }
  }

  @Test
  void endTokensOfATokenizerJsonComeFromItsConfigurations() throws IOException {
    Path config =
        Files.writeString(directory.resolve("c"), "{\"eos_token\": {\"content\": \"[SEP]\"}}");
    Path generation = Files.writeString(directory.resolve("g"), "{\"eos_token_id\": [4, 5]}");
    Path json = Files.writeString(directory.resolve("tokenizer.json"), BERT_JSON);
    try (Tokenizer tokenizer =
        Tokenizers.open(
            new TokenizerSource.Json(json, Optional.of(config), Optional.of(generation)))) {
      assertThat(tokenizer.endTokens()).containsExactlyInAnyOrder(2, 4, 5);
      assertThat(tokenizer.specialTokens()).containsEntry("eos_token", "[SEP]");
    }
  }

  @Test
  void whatIsNotSupportedIsRefusedByName() {
    assertThatThrownBy(() -> Tokenizers.open(SmallVocabularies.byteLevel("martian")))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("'martian'");
    assertThatThrownBy(() ->
            Tokenizers.open(SmallVocabularies.named(SmallVocabularies.byteLevel("smollm"), "t5")))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("'t5'");
    assertThatThrownBy(
            () -> open(BERT_JSON.replace("\"WordPiece\", \"prefix\"", "\"CTC\", \"prefix\"")))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("CTC");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{",
        "{}",
        "{\"model\": 3}",
        "{\"model\": {\"type\": \"BPE\"}}",
        "\0\1\2",
        "{\"model\": {\"vocab\": {\"a\": -1}}}",
        "{\"model\": {\"vocab\": {\"a\": 2000000000}}}",
        "{\"added_tokens\": [{\"content\": \"x\"}], \"model\": {}}",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}}"
      })
  void malformedFilesAreRefused(String json) {
    assertThatThrownBy(() -> open(json)).isInstanceOf(ModelFormatException.class);
  }

  @Test
  void aMissingFileIsRefused() {
    Path missing = directory.resolve("tokenizer.json");
    assertThatThrownBy(() ->
            Tokenizers.open(new TokenizerSource.Json(missing, Optional.empty(), Optional.empty())))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("tokenizer.json")
        .hasMessageNotContaining(directory.toString());
  }

  @Test
  void closedTokenizersSaySo() {
    Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel("gpt-2"));
    tokenizer.close();
    tokenizer.close();
    assertThatThrownBy(() -> tokenizer.encode("a", false, false))
        .isInstanceOf(IllegalStateException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "default",
        "gpt-2",
        "smollm",
        "falcon",
        "llama-bpe",
        "dbrx",
        "qwen2",
        "stablelm2",
        "gpt-4o",
        "tekken"
      })
  void everyPreTokenizerKeepsTheText(String name) {
    try (Tokenizer tokenizer = Tokenizers.open(SmallVocabularies.byteLevel(name))) {
      String text = "Hello  world's\r\n\n 1234 ÄÖ-x_y 日本 \uD83D\uDE00\t!";
      assertThat(roundTrip(tokenizer, text)).isEqualTo(text);
    }
  }

  private static String roundTrip(Tokenizer tokenizer, String text) {
    return tokenizer.decode(tokenizer.encode(text, false, false), false);
  }

  private Tokenizer open(String json) throws IOException {
    Path file = Files.writeString(directory.resolve("tokenizer.json"), json);
    return Tokenizers.open(new TokenizerSource.Json(file, Optional.empty(), Optional.empty()));
  }
}
