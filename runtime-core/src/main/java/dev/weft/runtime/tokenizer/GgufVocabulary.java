package dev.weft.runtime.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.weft.runtime.tokenizer.TokenizerDefinition.Framing;
import dev.weft.runtime.weights.ModelFormatException;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Makes a tokenizer out of the vocabulary inside a GGUF file, so that the same native tokenizer
/// serves both formats.
final class GgufVocabulary {
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int UNKNOWN = 2;
  private static final int BYTE = 6;

  private static final JsonFactory JSON = new JsonFactory();

  private final TokenizerSource.Gguf source;
  private final List<String> tokens;
  private final List<AddedToken> added;
  private final SpecialTokenAliases aliases;

  private GgufVocabulary(TokenizerSource.Gguf source, List<String> tokens) {
    this.source = source;
    this.tokens = tokens;
    this.added = addedTokens();
    this.aliases = new SpecialTokenAliases(added);
  }

  static TokenizerDefinition read(TokenizerSource.Gguf source) {
    if (source.tokens().isEmpty()) {
      throw new ModelFormatException("The GGUF file has no vocabulary (tokenizer.ggml.tokens).");
    }
    try {
      return switch (source.model()) {
        case "gpt2" -> new GgufVocabulary(source, source.tokens()).byteLevel();
        case "llama" -> new GgufVocabulary(source, source.tokens()).sentencePiece();
        case "bert" -> new GgufVocabulary(source, wordPieces(source)).wordPiece();
        default ->
            throw new ModelFormatException(
                "The GGUF file has a tokenizer that is not supported: '"
                    + source.model()
                    + "' (supported: gpt2, llama, bert).");
      };
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
  }

  private TokenizerDefinition byteLevel() throws IOException {
    PreTokenizer preTokenizer = PreTokenizer.named(source.pre());
    String json =
        document(out -> {
          if (preTokenizer.composes()) {
            out.writeFieldName("normalizer");
            writeType(out, "NFC");
          }
          writeSplits(out, preTokenizer.splits());
          out.writeObjectFieldStart("model");
          out.writeStringField("type", "BPE");
          out.writeBooleanField("ignore_merges", preTokenizer.wholeWords());
          writeVocabulary(out);
          out.writeArrayFieldStart("merges");
          for (String merge : source.merges()) {
            writeUnlessSpecial(out, merge);
          }
          out.writeEndArray();
          out.writeEndObject();
        });
    return definition(json, new TokenDecoder.ByteLevel(), textFraming());
  }

  /// SentencePiece's BPE: the scores order the merges; letters outside the vocabulary become bytes.
  private TokenizerDefinition sentencePiece() throws IOException {
    String space = String.valueOf(TokenDecoder.VISIBLE_SPACE);
    boolean prefix = source.addSpacePrefix();
    String json =
        document(out -> {
          out.writeObjectFieldStart("normalizer");
          out.writeStringField("type", "Sequence");
          out.writeArrayFieldStart("normalizers");
          if (prefix) {
            out.writeStartObject();
            out.writeStringField("type", "Prepend");
            out.writeStringField("prepend", space);
            out.writeEndObject();
          }
          out.writeStartObject();
          out.writeStringField("type", "Replace");
          out.writeObjectFieldStart("pattern");
          out.writeStringField("String", " ");
          out.writeEndObject();
          out.writeStringField("content", space);
          out.writeEndObject();
          out.writeEndArray();
          out.writeEndObject();
          out.writeObjectFieldStart("model");
          out.writeStringField("type", "BPE");
          out.writeBooleanField("fuse_unk", true);
          out.writeBooleanField("byte_fallback", true);
          writeUnknown(out);
          writeVocabulary(out);
          out.writeArrayFieldStart("merges");
          for (SentencePieceMerges.Merge merge : merges()) {
            out.writeStartArray();
            out.writeString(merge.left());
            out.writeString(merge.right());
            out.writeEndArray();
          }
          out.writeEndArray();
          out.writeEndObject();
        });
    return definition(json, new TokenDecoder.SentencePiece(true, prefix ? 1 : 0), textFraming());
  }

  private TokenizerDefinition wordPiece() throws IOException {
    boolean cased = hasUpperCase();
    String json =
        document(out -> {
          out.writeObjectFieldStart("normalizer");
          out.writeStringField("type", "BertNormalizer");
          out.writeBooleanField("clean_text", true);
          out.writeBooleanField("handle_chinese_chars", true);
          out.writeNullField("strip_accents");
          out.writeBooleanField("lowercase", !cased);
          out.writeEndObject();
          out.writeFieldName("pre_tokenizer");
          writeType(out, "BertPreTokenizer");
          out.writeObjectFieldStart("model");
          out.writeStringField("type", "WordPiece");
          out.writeStringField("continuing_subword_prefix", "##");
          out.writeNumberField("max_input_chars_per_word", 100);
          writeUnknown(out);
          writeVocabulary(out);
          out.writeEndObject();
        });
    Integer end = source.separatorToken() != null ? source.separatorToken() : source.eosToken();
    return definition(
        json, new TokenDecoder.WordPiece("##", true), framing(source.bosToken(), end));
  }

  /// GGUF marks the first piece of a word with the visible space, where BERT's own files mark the
  /// others with `##`.
  private static List<String> wordPieces(TokenizerSource.Gguf source) {
    String space = String.valueOf(TokenDecoder.VISIBLE_SPACE);
    List<String> pieces = new ArrayList<>(source.tokens().size());
    for (int id = 0; id < source.tokens().size(); id++) {
      String token = source.tokens().get(id);
      boolean bracketed = token.length() > 2 && token.startsWith("[") && token.endsWith("]");
      if (token.startsWith(space)) {
        pieces.add(token.substring(1));
      } else if (bracketed || type(source, id) == CONTROL || type(source, id) == UNKNOWN) {
        pieces.add(token);
      } else {
        pieces.add("##" + token);
      }
    }
    return pieces;
  }

  /// A GGUF file does not say whether its BERT is cased; its vocabulary does.
  private boolean hasUpperCase() {
    for (int id = 0; id < tokens.size(); id++) {
      String token = tokens.get(id);
      if (!token.startsWith("[") && token.chars().anyMatch(Character::isUpperCase)) {
        return true;
      }
    }
    return false;
  }

  private List<SentencePieceMerges.Merge> merges() {
    if (source.scores().size() != tokens.size()) {
      throw new ModelFormatException(
          "The GGUF file has %d tokens but %d scores."
              .formatted(tokens.size(), source.scores().size()));
    }
    return SentencePieceMerges.derive(
        tokens,
        source.scores(),
        id -> {
          int type = type(source, id);
          return type != CONTROL && type != USER_DEFINED && type != UNKNOWN && type != BYTE;
        });
  }

  private List<AddedToken> addedTokens() {
    List<AddedToken> found = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      int type = type(source, id);
      boolean special = type == CONTROL || type == UNKNOWN;
      if ((special || type == USER_DEFINED) && !tokens.get(id).isEmpty()) {
        found.add(AddedToken.of(id, tokens.get(id), special));
      }
    }
    return found;
  }

  private static int type(TokenizerSource.Gguf source, int id) {
    return id < source.types().size() ? source.types().get(id) : 1;
  }

  private TokenizerDefinition definition(String json, TokenDecoder decoder, Framing framing) {
    Vocabulary.Builder vocabulary = new Vocabulary.Builder();
    for (int id = 0; id < tokens.size(); id++) {
      vocabulary.put(id, tokens.get(id));
    }
    added.stream().filter(AddedToken::special).forEach(token -> vocabulary.markSpecial(token.id()));
    return new TokenizerDefinition(
        json,
        vocabulary.build(),
        decoder,
        added,
        Optional.of(framing),
        false,
        endTokens(),
        specialTokens());
  }

  private Framing textFraming() {
    return framing(
        source.addBos() ? required(source.bosToken(), "bos") : null,
        source.addEos() ? required(source.eosToken(), "eos") : null);
  }

  private static Integer required(@Nullable Integer token, String name) {
    if (token == null) {
      throw new ModelFormatException(
          "The GGUF file wants a %1$s token added but names none (tokenizer.ggml.%1$s_token_id)."
              .formatted(name));
    }
    return token;
  }

  private Framing framing(@Nullable Integer before, @Nullable Integer after) {
    Function<@Nullable Integer, List<Integer>> one =
        token -> token == null ? List.of() : List.of(checked(token));
    return new Framing(one.apply(before), one.apply(after));
  }

  private int checked(int id) {
    if (id < 0 || id >= tokens.size()) {
      throw new ModelFormatException(
          "The GGUF file names token %d of a vocabulary of %d.".formatted(id, tokens.size()));
    }
    return id;
  }

  private Set<Integer> endTokens() {
    Set<Integer> ends = new HashSet<>();
    if (source.eosToken() != null) {
      ends.add(checked(source.eosToken()));
    }
    added.stream()
        .filter(token -> token.special() && EndTokens.WELL_KNOWN.contains(token.content()))
        .forEach(token -> ends.add(token.id()));
    return ends;
  }

  private Map<String, String> specialTokens() {
    Map<String, String> named = new LinkedHashMap<>();
    putToken(named, "bos_token", source.bosToken());
    putToken(named, "eos_token", source.eosToken());
    putToken(named, "pad_token", source.padToken());
    putToken(named, "unk_token", source.unknownToken());
    return named;
  }

  private void putToken(Map<String, String> named, String name, @Nullable Integer id) {
    if (id != null) {
      named.put(name, tokens.get(checked(id)));
    }
  }

  private interface Section {
    void write(JsonGenerator out) throws IOException;
  }

  private String document(Section section) throws IOException {
    StringWriter text = new StringWriter(tokens.size() * 40);
    try (JsonGenerator out = JSON.createGenerator(text)) {
      out.writeStartObject();
      out.writeStringField("version", "1.0");
      out.writeArrayFieldStart("added_tokens");
      for (AddedToken token : added) {
        out.writeStartObject();
        out.writeNumberField("id", token.id());
        out.writeStringField("content", aliases.of(token.content()));
        out.writeBooleanField("single_word", false);
        out.writeBooleanField("lstrip", false);
        out.writeBooleanField("rstrip", false);
        out.writeBooleanField("normalized", false);
        out.writeBooleanField("special", token.special());
        out.writeEndObject();
      }
      out.writeEndArray();
      section.write(out);
      out.writeEndObject();
    }
    return text.toString();
  }

  private void writeSplits(JsonGenerator out, List<String> splits) throws IOException {
    out.writeObjectFieldStart("pre_tokenizer");
    out.writeStringField("type", "Sequence");
    out.writeArrayFieldStart("pretokenizers");
    for (String split : splits) {
      out.writeStartObject();
      out.writeStringField("type", "Split");
      out.writeObjectFieldStart("pattern");
      out.writeStringField("Regex", split);
      out.writeEndObject();
      out.writeStringField("behavior", "Isolated");
      out.writeBooleanField("invert", false);
      out.writeEndObject();
    }
    out.writeStartObject();
    out.writeStringField("type", "ByteLevel");
    out.writeBooleanField("add_prefix_space", false);
    out.writeBooleanField("trim_offsets", true);
    out.writeBooleanField("use_regex", false);
    out.writeEndObject();
    out.writeEndArray();
    out.writeEndObject();
  }

  private void writeVocabulary(JsonGenerator out) throws IOException {
    out.writeObjectFieldStart("vocab");
    for (int id = 0; id < tokens.size(); id++) {
      out.writeNumberField(aliases.of(tokens.get(id)), id);
    }
    out.writeEndObject();
  }

  private void writeUnknown(JsonGenerator out) throws IOException {
    Integer unknown = source.unknownToken();
    if (unknown != null) {
      out.writeStringField("unk_token", aliases.of(tokens.get(checked(unknown))));
    }
  }

  /// Letters never merge into a special token.
  private void writeUnlessSpecial(JsonGenerator out, String merge) throws IOException {
    int space = merge.indexOf(' ', 1);
    if (space < 0) {
      throw new ModelFormatException("The GGUF file has a merge without a space: '" + merge + "'.");
    }
    String left = merge.substring(0, space);
    String right = merge.substring(space + 1);
    if (!aliases.has(left + right) && !aliases.has(left) && !aliases.has(right)) {
      out.writeString(merge);
    }
  }

  private static void writeType(JsonGenerator out, String type) throws IOException {
    out.writeStartObject();
    out.writeStringField("type", type);
    out.writeEndObject();
  }
}
