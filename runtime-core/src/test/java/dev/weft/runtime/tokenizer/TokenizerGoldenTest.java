package dev.weft.runtime.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.source.TestModels;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Objects;
import java.util.stream.StreamSupport;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;

/// Ids and texts are those of Hugging Face's tokenizers, on two published vocabularies and on a
/// small one. `src/test/python/tokenizer_goldens.py` writes the goldens.
class TokenizerGoldenTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  @Test
  void encodesAndDecodesWithTheVocabularyOfAGgufFile() throws IOException {
    try (ModelPackage model = ModelFiles.open(TestModels.smolLm2());
        Tokenizer tokenizer = Tokenizers.open(model.tokenizer())) {
      assertMatches(tokenizer, golden("smollm2.json"));
      assertThat(tokenizer.endTokens()).containsExactlyInAnyOrder(0, 2);
      assertThat(tokenizer.vocabularySize()).isEqualTo(49152);
    }
  }

  @Test
  void encodesAndDecodesWithATokenizerJson() throws IOException {
    try (ModelPackage model = ModelFiles.open(TestModels.miniLm());
        Tokenizer tokenizer = Tokenizers.open(model.tokenizer())) {
      assertMatches(tokenizer, golden("minilm.json"));
      assertThat(tokenizer.specialTokens()).containsEntry("unk_token", "[UNK]");
    }
  }

  @Test
  void derivesTheMergesOfSentencePieceFromItsScores() throws IOException {
    JsonNode golden = golden("sentencepiece.json");
    JsonNode source = golden.path("source");
    TokenizerSource.Gguf gguf =
        new TokenizerSource.Gguf(
            "llama",
            null,
            values(source.path("tokens")).stream().map(JsonNode::asText).toList(),
            values(source.path("scores")).stream().map(JsonNode::floatValue).toList(),
            values(source.path("types")).stream().map(JsonNode::intValue).toList(),
            List.of(),
            1,
            2,
            0,
            null,
            null,
            false,
            false,
            true);
    try (Tokenizer tokenizer = Tokenizers.open(gguf)) {
      assertMatches(tokenizer, golden);
    }
  }

  private static void assertMatches(Tokenizer tokenizer, JsonNode golden) {
    SoftAssertions softly = new SoftAssertions();
    for (JsonNode row : golden.path("texts")) {
      String text = row.path("text").asText();
      int[] special = ids(row.path("special"));
      softly.assertThat(tokenizer.encode(text, true, true)).as(text).isEqualTo(special);
      softly
          .assertThat(tokenizer.encode(text, false, false))
          .as(text)
          .isEqualTo(ids(row.path("plain")));
      softly.assertThat(tokenizer.decode(special, false)).isEqualTo(row.path("decoded").asText());
      softly.assertThat(tokenizer.decode(special, true)).isEqualTo(row.path("skipped").asText());
    }
    for (JsonNode row : golden.path("decodings")) {
      int[] tokens = ids(row.path("ids"));
      softly.assertThat(tokenizer.decode(tokens, false)).isEqualTo(row.path("text").asText());
    }
    softly.assertThat(golden.path("texts")).isNotEmpty();
    softly.assertAll();
  }

  private static JsonNode golden(String name) throws IOException {
    try (InputStream in =
        TokenizerGoldenTest.class.getResourceAsStream("/golden/tokenizer/" + name)) {
      return MAPPER.readTree(Objects.requireNonNull(in, name));
    }
  }

  private static int[] ids(JsonNode ids) {
    return values(ids).stream().mapToInt(JsonNode::intValue).toArray();
  }

  private static List<JsonNode> values(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).toList();
  }
}
