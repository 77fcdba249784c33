package dev.weft.platform.gateway;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.weft.platform.telemetry.Invocation.Tokens;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/// Finds the token counts in what a runtime answers.
final class UsageReader {
  private static final JsonFactory JSON = new JsonFactory();
  private static final String MEMBER = "\"usage\":";

  /// Runtimes write usage last, so only so many bytes from the end are looked at: the answer may be
  /// many megabytes of vectors, and this runs on an event loop.
  private static final int TAIL_BYTES = 1_024;

  private UsageReader() {}

  /// What a frame of a stream says.
  ///
  /// @param empty whether it has no choice, as the frame has that is there for usage alone
  record Frame(boolean empty, Optional<Tokens> tokens) {}

  /// Reads a frame's JSON.
  static Frame readFrame(byte[] json, int offset, int length) {
    boolean empty = false;
    Optional<Tokens> tokens = Optional.empty();
    try (JsonParser parser = JSON.createParser(json, offset, length)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        return new Frame(false, tokens);
      }
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        if (name.equals("choices") && value == JsonToken.START_ARRAY) {
          empty = parser.nextToken() == JsonToken.END_ARRAY;
          skipArray(parser, empty);
        } else if (name.equals("usage") && value == JsonToken.START_OBJECT) {
          tokens = Optional.of(readCounts(parser));
        } else {
          parser.skipChildren();
        }
      }
    } catch (IOException e) {
      return new Frame(false, Optional.empty());
    }
    return new Frame(empty, tokens);
  }

  /// Reads the end of a whole answer.
  static Optional<Tokens> readTail(byte[] json) {
    int start = Math.max(0, json.length - TAIL_BYTES);
    String tail = new String(json, start, json.length - start, StandardCharsets.UTF_8);
    int at = tail.lastIndexOf(MEMBER);
    if (at < 0) {
      return Optional.empty();
    }
    try (JsonParser parser = JSON.createParser(tail.substring(at + MEMBER.length()))) {
      return parser.nextToken() == JsonToken.START_OBJECT
          ? Optional.of(readCounts(parser))
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static void skipArray(JsonParser parser, boolean ended) throws IOException {
    if (ended) {
      return;
    }
    parser.skipChildren();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      parser.skipChildren();
    }
  }

  private static Tokens readCounts(JsonParser parser) throws IOException {
    long input = 0;
    long output = 0;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "prompt_tokens" -> input = parser.getValueAsLong();
        case "completion_tokens" -> output = parser.getValueAsLong();
        default -> parser.skipChildren();
      }
    }
    return new Tokens(input, output);
  }
}
