package dev.weft.functions;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Turns what the JSON library says about a manifest into what its author needs to know.
final class ManifestErrors {
  private ManifestErrors() {}

  static InvalidManifestException explain(JsonProcessingException error) {
    if (!(error instanceof JsonMappingException mapping)) {
      return withCause("", firstLine(error) + at(error), error);
    }
    String path = pathOf(mapping);
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof InvalidManifestException invalid) {
        // A record knows its own member; the reader knows which element of a list it is.
        // A name is not always the function's own.
        boolean otherName = invalid.field().equals(FunctionName.FIELD) && path.startsWith("spec.");
        String field = otherName || path.startsWith(invalid.field()) ? path : invalid.field();
        return withCause(field, invalid.getMessage(), error);
      }
      if (cause instanceof InputCoercionException) {
        return withCause(path, "out of range", error);
      }
    }
    return withCause(path, messageOf(mapping), error);
  }

  private static String messageOf(JsonMappingException error) {
    return switch (error) {
      case InvalidFormatException format -> expected(format.getTargetType(), format.getValue());
      case MismatchedInputException mismatch -> expected(mismatch.getTargetType(), null);
      default -> firstLine(error);
    };
  }

  private static String expected(@Nullable Class<?> type, @Nullable Object value) {
    String found = value == null ? "this is not " : "'%s' is not ".formatted(value);
    if (type == null) {
      return found + "what belongs here";
    }
    if (type.isEnum()) {
      return (value == null ? "not" : "'%s' is not".formatted(value))
          + " one of "
          + Arrays.stream(type.getEnumConstants())
              .map(constant -> ((Enum<?>) constant).name().toLowerCase(Locale.ROOT))
              .toList();
    }
    if (type == Duration.class) {
      return found + "a duration: write 500ms, 2s, 5m, 1h or ISO-8601 such as PT1M30S";
    }
    if (type == Integer.class) {
      return found + "a whole number";
    }
    if (Collection.class.isAssignableFrom(type)) {
      return found + "a list";
    }
    if (Map.class.isAssignableFrom(type)) {
      return found + "an object";
    }
    if (type == ModelSource.class) {
      return found + "an address, nor an object with uri and sha256";
    }
    if (type == String.class || type == FunctionName.class) {
      return found + "text; write it in quotes";
    }
    return found + "an object";
  }

  private static String pathOf(JsonMappingException error) {
    StringBuilder path = new StringBuilder();
    for (JsonMappingException.Reference step : error.getPath()) {
      if (step.getFieldName() == null) {
        path.append('[').append(step.getIndex()).append(']');
      } else {
        path.append(path.isEmpty() ? "" : ".").append(step.getFieldName());
      }
    }
    return path.toString();
  }

  private static String firstLine(JsonProcessingException error) {
    String message = String.valueOf(error.getOriginalMessage());
    return message.lines().findFirst().orElse(message);
  }

  private static String at(JsonProcessingException error) {
    JsonLocation location = error.getLocation();
    return location == null || location.getLineNr() < 1
        ? ""
        : " (line %d)".formatted(location.getLineNr());
  }

  private static InvalidManifestException withCause(String field, String message, Throwable cause) {
    InvalidManifestException invalid = new InvalidManifestException(field, message);
    invalid.initCause(cause);
    return invalid;
  }
}
