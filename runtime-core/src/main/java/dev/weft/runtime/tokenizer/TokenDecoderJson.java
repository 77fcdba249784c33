package dev.weft.runtime.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.runtime.weights.ModelFormatException;

/// Reads the `decoder` of a `tokenizer.json`. A kind that is not known is refused: text decoded
/// almost right would pass unseen.
final class TokenDecoderJson {
  private TokenDecoderJson() {}

  static TokenDecoder read(JsonNode node) {
    if (node.isNull()) {
      return new TokenDecoder.WordPiece(null, false);
    }
    String type = node.path("type").asText();
    return switch (type) {
      case "ByteLevel" -> new TokenDecoder.ByteLevel();
      case "WordPiece" ->
          new TokenDecoder.WordPiece(
              node.path("prefix").asText("##"), node.path("cleanup").asBoolean(true));
      case "Metaspace" -> metaspace(node);
      case "Sequence" -> sequence(node.path("decoders"));
      default -> throw unsupported(type);
    };
  }

  private static TokenDecoder metaspace(JsonNode node) {
    String replacement = node.path("replacement").asText();
    if (replacement.length() != 1) {
      throw new ModelFormatException(
          "tokenizer.json: the Metaspace decoder's replacement is not one letter.");
    }
    boolean never =
        node.has("prepend_scheme")
            ? node.path("prepend_scheme").asText().equals("never")
            : !node.path("add_prefix_space").asBoolean(true);
    return new TokenDecoder.Metaspace(replacement.charAt(0), !never);
  }

  /// Either one decoder alone, or SentencePiece's steps in their usual order.
  private static TokenDecoder sequence(JsonNode steps) {
    if (steps.size() == 1) {
      return read(steps.get(0));
    }
    boolean spaces = false;
    boolean byteFallback = false;
    int leadingSpaces = 0;
    for (JsonNode step : steps) {
      String type = step.path("type").asText();
      switch (type) {
        case "Replace" -> spaces = replacesVisibleSpace(step);
        case "ByteFallback" -> byteFallback = true;
        case "Fuse" -> {}
        case "Strip" -> leadingSpaces = leadingSpaces(step);
        default -> throw unsupported(type + " in a sequence");
      }
    }
    if (!spaces) {
      throw unsupported("Sequence without the visible space");
    }
    return new TokenDecoder.SentencePiece(byteFallback, leadingSpaces);
  }

  private static boolean replacesVisibleSpace(JsonNode step) {
    String pattern = step.path("pattern").path("String").asText();
    if (!pattern.equals(String.valueOf(TokenDecoder.VISIBLE_SPACE))
        || !step.path("content").asText().equals(" ")) {
      throw unsupported("Replace of " + pattern);
    }
    return true;
  }

  private static int leadingSpaces(JsonNode step) {
    if (!step.path("content").asText().equals(" ") || step.path("stop").asInt() != 0) {
      throw unsupported("Strip of other than leading spaces");
    }
    return step.path("start").asInt();
  }

  private static ModelFormatException unsupported(String what) {
    return new ModelFormatException(
        "tokenizer.json has a decoder that is not supported: " + what + ".");
  }
}
