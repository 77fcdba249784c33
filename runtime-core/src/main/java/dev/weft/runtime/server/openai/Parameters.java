package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/// The members of one JSON object, taken one by one with their type and range checked. What nobody
/// took is refused by [#refuseOthers], so that no parameter is ever ignored in silence. `null`
/// counts as absent. Not thread-safe.
final class Parameters {
  private final String prefix;
  private final ObjectNode object;
  private final Set<String> known = new HashSet<>();

  private Parameters(String prefix, ObjectNode object) {
    this.prefix = prefix;
    this.object = object;
  }

  /// The members of a request body.
  static Parameters of(ObjectNode body) {
    return new Parameters("", body);
  }

  /// The members of `node`, which is at `path` (`messages[0]`).
  static Parameters of(String path, JsonNode node) {
    if (node instanceof ObjectNode object) {
      return new Parameters(path + ".", object);
    }
    throw wrongType(path, "an object", node);
  }

  /// The value of a member; empty when it is absent or `null`.
  Optional<JsonNode> node(String name) {
    known.add(name);
    JsonNode value = object.get(name);
    return value == null || value.isNull() ? Optional.empty() : Optional.of(value);
  }

  JsonNode required(String name) {
    return node(name)
        .orElseThrow(() ->
            ApiError.invalid(
                path(name),
                "missing_required_parameter",
                "Missing required parameter: '%s'.".formatted(path(name))));
  }

  /// The member as the client would write it: `messages[0].role`.
  String path(String name) {
    return prefix + name;
  }

  Optional<String> string(String name) {
    return node(name).map(value -> text(path(name), value));
  }

  boolean flag(String name) {
    Optional<JsonNode> value = node(name);
    if (value.isPresent() && !value.get().isBoolean()) {
      throw wrongType(path(name), "a boolean", value.get());
    }
    return value.isPresent() && value.get().booleanValue();
  }

  OptionalDouble decimal(String name, double min, double max) {
    Optional<JsonNode> found = node(name);
    if (found.isEmpty()) {
      return OptionalDouble.empty();
    }
    JsonNode value = found.get();
    if (!value.isNumber()) {
      throw wrongType(path(name), "a number", value);
    }
    double number = value.doubleValue();
    if (number < min) {
      throw outOfRange(name, "decimal_below_min_value", "decimal below minimum", ">=", min, value);
    }
    if (number > max) {
      throw outOfRange(name, "decimal_above_max_value", "decimal above maximum", "<=", max, value);
    }
    return OptionalDouble.of(number);
  }

  OptionalLong integer(String name, long min, long max) {
    Optional<JsonNode> found = node(name);
    if (found.isEmpty()) {
      return OptionalLong.empty();
    }
    JsonNode value = found.get();
    if (!value.isIntegralNumber()) {
      throw wrongType(path(name), "an integer", value);
    }
    BigDecimal number = value.decimalValue();
    if (number.compareTo(BigDecimal.valueOf(min)) < 0) {
      throw outOfRange(name, "integer_below_min_value", "integer below minimum", ">=", min, value);
    }
    if (number.compareTo(BigDecimal.valueOf(max)) > 0) {
      throw outOfRange(name, "integer_above_max_value", "integer above maximum", "<=", max, value);
    }
    return OptionalLong.of(value.longValue());
  }

  OptionalInt smallInteger(String name, int min, int max) {
    OptionalLong value = integer(name, min, max);
    return value.isPresent() ? OptionalInt.of((int) value.getAsLong()) : OptionalInt.empty();
  }

  /// A string, or a list of at most `maxCount` of them; none may be empty.
  List<String> strings(String name, int maxCount, int maxLength) {
    Optional<JsonNode> found = node(name);
    if (found.isEmpty()) {
      return List.of();
    }
    JsonNode value = found.get();
    if (value.isTextual()) {
      return List.of(bounded(path(name), value.textValue(), maxLength));
    }
    if (!value.isArray()) {
      throw wrongType(path(name), "a string or an array of strings", value);
    }
    boundCount(path(name), value, maxCount);
    List<String> strings = new ArrayList<>();
    for (int i = 0; i < value.size(); i++) {
      String path = "%s[%d]".formatted(path(name), i);
      strings.add(bounded(path, text(path, value.get(i)), maxLength));
    }
    return strings;
  }

  /// Accepts members whose value changes no answer.
  void harmless(String... names) {
    known.addAll(List.of(names));
  }

  /// Refuses members that Weft cannot honour.
  void unsupported(String... names) {
    for (String name : names) {
      if (node(name).isPresent()) {
        throw notSupported(path(name), "'%s' is not supported here.".formatted(path(name)));
      }
    }
  }

  /// Refuses everything that has not been asked for; call it last.
  void refuseOthers() {
    object
        .properties()
        .forEach(member -> {
          if (!known.contains(member.getKey()) && !member.getValue().isNull()) {
            String path = path(member.getKey());
            throw ApiError.invalid(
                path, "unknown_parameter", "Unknown parameter: '%s'.".formatted(path));
          }
        });
  }

  static String text(String path, JsonNode value) {
    if (!value.isTextual()) {
      throw wrongType(path, "a string", value);
    }
    return value.textValue();
  }

  static void boundCount(String path, JsonNode array, int maxCount) {
    if (array.size() > maxCount) {
      throw ApiError.invalid(
          path,
          "array_above_max_length",
          "Invalid '%s': array too long. Expected an array with maximum length %d, but got an array with length %d instead."
              .formatted(path, maxCount, array.size()));
    }
  }

  static void refuseEmpty(String path, JsonNode array) {
    if (array.isEmpty()) {
      throw ApiError.invalid(
          path,
          "empty_array",
          "Invalid '%s': empty array. Expected an array with minimum length 1, but got an empty array instead."
              .formatted(path));
    }
  }

  static ApiException notSupported(String path, String message) {
    return ApiError.invalid(path, "unsupported_parameter", message);
  }

  static ApiException wrongType(String path, String expected, JsonNode actual) {
    return ApiError.invalid(
        path,
        "invalid_type",
        "Invalid type for '%s': expected %s, but got %s instead."
            .formatted(path, expected, kind(actual)));
  }

  private static String bounded(String path, String text, int maxLength) {
    if (text.isEmpty()) {
      throw ApiError.invalid(
          path, "empty_string", "Invalid '%s': the string is empty.".formatted(path));
    }
    if (text.length() > maxLength) {
      throw ApiError.invalid(
          path,
          "string_above_max_length",
          "Invalid '%s': string too long. Expected a string with maximum length %d, but got a string with length %d instead."
              .formatted(path, maxLength, text.length()));
    }
    return text;
  }

  private ApiException outOfRange(
      String name, String code, String what, String relation, Number bound, JsonNode value) {
    return ApiError.invalid(
        path(name),
        code,
        "Invalid '%s': %s value. Expected a value %s %s, but got %s instead."
            .formatted(path(name), what, relation, plain(bound), value.asText()));
  }

  private static String plain(Number bound) {
    return BigDecimal.valueOf(bound.doubleValue()).stripTrailingZeros().toPlainString();
  }

  private static String kind(JsonNode value) {
    return switch (value.getNodeType()) {
      case ARRAY -> "an array";
      case OBJECT, POJO -> "an object";
      case STRING, BINARY -> "a string";
      case BOOLEAN -> "a boolean";
      case NUMBER -> value.isIntegralNumber() ? "an integer" : "a decimal number";
      case NULL, MISSING -> "null";
    };
  }
}
