package dev.weft.runtime.tokenizer;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.weights.ModelFormatException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/// Reads a `tokenizer.json` in one pass: it copies the file for the native tokenizer with the
/// special tokens renamed ([SpecialTokenAliases]) and truncation and padding left out (a text that
/// is too long is refused, not cut), and keeps the vocabulary and the decoder for our own decoding.
final class TokenizerJson {
  private static final long MAX_BYTES = 256L << 20;
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final List<String> SPECIAL_NAMES =
      List.of("bos_token", "eos_token", "pad_token", "unk_token");

  private final Path file;
  private final Vocabulary.Builder vocabulary = new Vocabulary.Builder();
  private final List<AddedToken> added;
  private final SpecialTokenAliases aliases;
  private boolean spaceFirst;
  private TokenDecoder decoder = new TokenDecoder.WordPiece(null, false);

  private TokenizerJson(Path file) throws IOException {
    this.file = file;
    this.added = readAddedTokens();
    this.aliases = new SpecialTokenAliases(added);
  }

  static TokenizerDefinition read(TokenizerSource.Json source) {
    Path file = source.tokenizerJson();
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new ModelFormatException(file.getFileName() + " is larger than 256 MiB.");
      }
      return new TokenizerJson(file).define(source);
    } catch (IOException e) {
      throw new ModelFormatException(file.getFileName() + " cannot be read: " + messageOf(e), e);
    }
  }

  private TokenizerDefinition define(TokenizerSource.Json source) throws IOException {
    String json = copy();
    for (AddedToken token : added) {
      vocabulary.put(token.id(), token.content());
      if (token.special()) {
        vocabulary.markSpecial(token.id());
      }
    }
    Vocabulary tokens = vocabulary.build();
    Map<String, String> specialTokens = specialTokens(source.tokenizerConfig());
    return new TokenizerDefinition(
        json,
        tokens,
        decoder,
        added,
        Optional.empty(),
        spaceFirst,
        endTokens(tokens, specialTokens, source.generationConfig()),
        specialTokens);
  }

  /// The added tokens come first in every file that the library writes, so this reads little.
  private List<AddedToken> readAddedTokens() throws IOException {
    try (JsonParser in = MAPPER.createParser(file.toFile())) {
      expectObject(in, "the file");
      while (in.nextToken() == JsonToken.FIELD_NAME) {
        String name = in.currentName();
        in.nextToken();
        if (name.equals("added_tokens")) {
          return addedTokens(in.readValueAsTree());
        }
        in.skipChildren();
      }
    }
    return List.of();
  }

  private static List<AddedToken> addedTokens(JsonNode nodes) {
    List<AddedToken> tokens = new ArrayList<>();
    for (JsonNode node : nodes) {
      tokens.add(
          new AddedToken(
              checkedId(node.path("id").asInt(-1)),
              node.path("content").asText(),
              node.path("special").asBoolean(),
              node.path("lstrip").asBoolean(),
              node.path("rstrip").asBoolean(),
              node.path("single_word").asBoolean()));
    }
    return tokens;
  }

  private String copy() throws IOException {
    StringWriter text = new StringWriter(1 << 20);
    try (JsonParser in = MAPPER.createParser(file.toFile());
        JsonGenerator out = MAPPER.createGenerator(text)) {
      expectObject(in, "the file");
      out.writeStartObject();
      while (in.nextToken() == JsonToken.FIELD_NAME) {
        String name = in.currentName();
        in.nextToken();
        out.writeFieldName(name);
        switch (name) {
          case "truncation", "padding" -> {
            in.skipChildren();
            out.writeNull();
          }
          case "decoder" -> {
            decoder = TokenDecoderJson.read(in.readValueAsTree());
            out.writeNull();
          }
          case "added_tokens" -> copyAddedTokens(in, out);
          case "pre_tokenizer" -> copyPreTokenizer(in, out);
          case "model" -> copyModel(in, out);
          default -> out.copyCurrentStructure(in);
        }
      }
      out.writeEndObject();
    }
    return text.toString();
  }

  private void copyAddedTokens(JsonParser in, JsonGenerator out) throws IOException {
    JsonNode nodes = in.readValueAsTree();
    for (JsonNode node : nodes) {
      ((ObjectNode) node).put("content", aliases.of(node.path("content").asText()));
    }
    out.writeTree(nodes);
  }

  /// A pre-tokenizer that gives a space to the first word of the text only would give one to each
  /// piece that it sees; it gives none, and the first piece gets its space here.
  private void copyPreTokenizer(JsonParser in, JsonGenerator out) throws IOException {
    JsonNode node = in.readValueAsTree();
    for (JsonNode scheme : node.findParents("prepend_scheme")) {
      if (scheme.path("prepend_scheme").asText().equals("first")) {
        ((ObjectNode) scheme).put("prepend_scheme", "never");
        spaceFirst = true;
      }
    }
    out.writeTree(node);
  }

  private void copyModel(JsonParser in, JsonGenerator out) throws IOException {
    expectObject("model", in.currentToken());
    out.writeStartObject();
    while (in.nextToken() == JsonToken.FIELD_NAME) {
      String name = in.currentName();
      JsonToken value = in.nextToken();
      out.writeFieldName(name);
      if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
        copyVocabulary(in, out);
      } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
        copyScoredVocabulary(in, out);
      } else if (name.equals("merges") && value == JsonToken.START_ARRAY) {
        copyMerges(in, out);
      } else if (name.equals("unk_token") && value == JsonToken.VALUE_STRING) {
        out.writeString(aliases.of(in.getText()));
      } else {
        out.copyCurrentStructure(in);
      }
    }
    out.writeEndObject();
  }

  private void copyVocabulary(JsonParser in, JsonGenerator out) throws IOException {
    out.writeStartObject();
    while (in.nextToken() == JsonToken.FIELD_NAME) {
      String token = in.currentName();
      in.nextToken();
      int id = checkedId(in.getIntValue());
      vocabulary.put(id, token);
      out.writeNumberField(aliases.of(token), id);
    }
    out.writeEndObject();
  }

  /// Unigram models: pairs of token and score, in the order of their ids.
  private void copyScoredVocabulary(JsonParser in, JsonGenerator out) throws IOException {
    out.writeStartArray();
    while (in.nextToken() == JsonToken.START_ARRAY) {
      in.nextToken();
      String token = in.getText();
      vocabulary.put(vocabulary.size(), token);
      out.writeStartArray();
      out.writeString(aliases.of(token));
      while (in.nextToken() != JsonToken.END_ARRAY) {
        out.copyCurrentStructure(in);
      }
      out.writeEndArray();
    }
    out.writeEndArray();
  }

  /// Merges that touch a special token are left out: letters never become one.
  private void copyMerges(JsonParser in, JsonGenerator out) throws IOException {
    out.writeStartArray();
    while (in.nextToken() != JsonToken.END_ARRAY) {
      List<String> merge = new ArrayList<>(2);
      boolean pair = in.currentToken() == JsonToken.START_ARRAY;
      if (pair) {
        while (in.nextToken() != JsonToken.END_ARRAY) {
          merge.add(in.getText());
        }
      } else {
        merge.addAll(List.of(in.getText().split(" ", 2)));
      }
      if (merge.stream().anyMatch(aliases::has) || aliases.has(String.join("", merge))) {
        continue;
      }
      if (pair) {
        out.writeArray(merge.toArray(String[]::new), 0, merge.size());
      } else {
        out.writeString(in.getText());
      }
    }
    out.writeEndArray();
  }

  private static Map<String, String> specialTokens(Optional<Path> config) throws IOException {
    Map<String, String> tokens = new LinkedHashMap<>();
    JsonNode root = tree(config);
    for (String name : SPECIAL_NAMES) {
      JsonNode token = root.path(name);
      String text = token.isObject() ? token.path("content").asText() : token.asText();
      if (!text.isEmpty() && !token.isNull()) {
        tokens.put(name, text);
      }
    }
    return tokens;
  }

  /// What the model's files name; only when they name none, the control tokens that are known.
  private Set<Integer> endTokens(
      Vocabulary tokens, Map<String, String> specialTokens, Optional<Path> generationConfig)
      throws IOException {
    Set<Integer> ends = new HashSet<>();
    JsonNode named = tree(generationConfig).path("eos_token_id");
    if (named.isIntegralNumber()) {
      ends.add(named.intValue());
    }
    named.forEach(id -> ends.add(id.intValue()));
    String eos = specialTokens.get("eos_token");
    OptionalInt eosId = eos == null ? OptionalInt.empty() : tokens.find(eos);
    eosId.ifPresent(ends::add);
    if (ends.isEmpty()) {
      added.stream()
          .filter(token -> token.special() && EndTokens.WELL_KNOWN.contains(token.content()))
          .forEach(token -> ends.add(token.id()));
    }
    return ends;
  }

  private static JsonNode tree(Optional<Path> file) throws IOException {
    if (file.isEmpty() || !Files.exists(file.get())) {
      return MAPPER.missingNode();
    }
    try {
      return MAPPER.readTree(file.get().toFile());
    } catch (IOException e) {
      throw new ModelFormatException(
          file.get().getFileName() + " cannot be read: " + messageOf(e), e);
    }
  }

  /// An id above this is a mistake or an attempt to exhaust memory, not a vocabulary.
  private static int checkedId(int id) {
    if (id < 0 || id >= 1 << 24) {
      throw new ModelFormatException("tokenizer.json has a token id out of range: " + id);
    }
    return id;
  }

  private static void expectObject(JsonParser in, String what) throws IOException {
    expectObject(what, in.nextToken());
  }

  private static void expectObject(String what, JsonToken token) {
    if (token != JsonToken.START_OBJECT) {
      throw new ModelFormatException("tokenizer.json: " + what + " is not a JSON object.");
    }
  }

  /// The parser's message without the excerpt and the path that it may carry.
  private static String messageOf(IOException e) {
    return e instanceof JsonProcessingException json
        ? json.getOriginalMessage()
        : e.getClass().getSimpleName();
  }
}
