package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;

/// Reads a request body as one JSON object, within bounds on depth and on the length of names,
/// numbers and strings; duplicate keys are refused, since two readers could disagree on them.
public final class JsonBody {
  /// Levels of nesting in a body.
  public static final int MAX_DEPTH = 32;

  private static final int MAX_NAME_LENGTH = 1_000;
  private static final int MAX_NUMBER_LENGTH = 100;

  private static final ObjectMapper MAPPER = mapper();

  private JsonBody() {}

  /// The object in `body`, or a 400.
  public static ObjectNode parse(byte[] body) {
    JsonNode node;
    try {
      node = MAPPER.readTree(body);
    } catch (StreamConstraintsException e) {
      throw ApiError.invalid(
          null,
          "json_limit_exceeded",
          "The request body exceeds a limit: at most %d levels of nesting, names of %d characters and numbers of %d digits."
              .formatted(MAX_DEPTH, MAX_NAME_LENGTH, MAX_NUMBER_LENGTH));
    } catch (JsonProcessingException e) {
      throw ApiError.invalid(
          null, null, "We could not parse the JSON body of your request" + at(e) + ".");
    } catch (IOException e) {
      throw new UncheckedIOException("reading bytes in memory", e);
    }
    if (node instanceof ObjectNode object) {
      return object;
    }
    throw ApiError.invalid(
        null, null, "We could not parse the JSON body of your request: it is not a JSON object.");
  }

  private static String at(JsonProcessingException e) {
    JsonLocation location = e.getLocation();
    return location == null
        ? ""
        : " (line %d, column %d)".formatted(location.getLineNr(), location.getColumnNr());
  }

  private static ObjectMapper mapper() {
    StreamReadConstraints constraints =
        StreamReadConstraints.builder()
            .maxNestingDepth(MAX_DEPTH)
            .maxNameLength(MAX_NAME_LENGTH)
            .maxNumberLength(MAX_NUMBER_LENGTH)
            // The server bounds the body, and with it every string.
            .maxStringLength(Integer.MAX_VALUE)
            .build();
    JsonFactory factory =
        new JsonFactoryBuilder()
            .streamReadConstraints(constraints)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            // Names come from clients: keep them out of the JVM's intern table and shared caches.
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .build();
    return new ObjectMapper(factory)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .disable(JsonParser.Feature.INCLUDE_SOURCE_IN_LOCATION);
  }
}
