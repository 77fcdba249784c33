package dev.weft.platform.gateway;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import dev.weft.platform.http.ApiError;
import dev.weft.platform.http.ApiException;
import java.io.IOException;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What the gateway needs to know of a request's JSON, found in one pass without building a tree.
/// The rest is checked for being JSON, and left to the runtime.
///
/// @param members the names at the top
record RequestHead(
    @Nullable String model, boolean stream, boolean includeUsage, Set<String> members) {
  RequestHead {
    members = Set.copyOf(members);
  }

  boolean has(String member) {
    return members.contains(member);
  }

  /// Scans requests with a bound on nesting.
  static final class Scanner {
    private final JsonFactory json;

    Scanner(int maxDepth) {
      this.json =
          JsonFactory.builder()
              .streamReadConstraints(
                  StreamReadConstraints.builder()
                      .maxNestingDepth(maxDepth)
                      .maxStringLength(Integer.MAX_VALUE)
                      .build())
              .build();
    }

    /// Throws [ApiException] with a 400 for what is not one JSON object.
    RequestHead scan(byte[] body) {
      try (JsonParser parser = json.createParser(body)) {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
          throw invalid(null, "the body is not a JSON object");
        }
        RequestHead head = object(parser);
        if (parser.nextToken() != null) {
          throw invalid(null, "the body goes on after its JSON object");
        }
        return head;
      } catch (StreamConstraintsException e) {
        throw invalid(null, "the body's JSON is nested too deeply");
      } catch (JsonParseException e) {
        throw invalid(
            null,
            "the body is not JSON: line %d, column %d"
                .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr()));
      } catch (IOException e) {
        throw invalid(null, "the body is not JSON");
      }
    }

    private static RequestHead object(JsonParser parser) throws IOException {
      String model = null;
      boolean stream = false;
      boolean includeUsage = false;
      Set<String> members = new HashSet<>();
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        if (!members.add(name)) {
          throw invalid(name, "'%s' is given twice".formatted(name));
        }
        JsonToken value = parser.nextToken();
        switch (name) {
          case "model" -> model = text(parser, value);
          case "stream" -> stream = flag(value, "stream").orElse(false);
          case "stream_options" -> includeUsage = usage(parser, value);
          default -> parser.skipChildren();
        }
      }
      return new RequestHead(model, stream, includeUsage, members);
    }

    private static @Nullable String text(JsonParser parser, JsonToken value) throws IOException {
      return switch (value) {
        case VALUE_STRING -> parser.getText();
        case VALUE_NULL -> null;
        default -> throw invalid("model", "'model' is not a string");
      };
    }

    private static Optional<Boolean> flag(JsonToken value, String name) {
      return switch (value) {
        case VALUE_TRUE -> Optional.of(true);
        case VALUE_FALSE -> Optional.of(false);
        case VALUE_NULL -> Optional.empty();
        default -> throw invalid(name, "'%s' is not true or false".formatted(name));
      };
    }

    private static boolean usage(JsonParser parser, JsonToken value) throws IOException {
      if (value == JsonToken.VALUE_NULL) {
        return false;
      }
      if (value != JsonToken.START_OBJECT) {
        throw invalid("stream_options", "'stream_options' is not an object");
      }
      boolean include = false;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        JsonToken member = parser.nextToken();
        if (name.equals("include_usage")) {
          include = flag(member, "stream_options.include_usage").orElse(false);
        } else {
          parser.skipChildren();
        }
      }
      return include;
    }

    private static ApiException invalid(@Nullable String parameter, String message) {
      return new ApiException(ApiError.invalid(parameter, "invalid_value", message));
    }
  }
}
