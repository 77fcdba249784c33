package dev.weft.runtime.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.runtime.weights.BoundedJson;
import dev.weft.runtime.weights.ModelFormatException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.function.Predicate;

/// Settings in a JSON file, or in an object within it. Null is as good as absent, as it is to
/// transformers.
///
/// @param place what stands before a name in messages: empty, or `rope_scaling.`
record JsonConfig(String fileName, String place, JsonNode object) implements ConfigSource {
  private static final long BYTES_MAX = 16 << 20;

  static JsonConfig read(Path file) {
    return new JsonConfig(
        String.valueOf(file.getFileName()), "", BoundedJson.readObject(file, BYTES_MAX));
  }

  /// The object of that name.
  Optional<JsonConfig> child(String name) {
    return find(name, JsonNode::isObject, "an object")
        .map(node -> new JsonConfig(fileName, place + name + ".", node));
  }

  boolean has(String name) {
    return object.hasNonNull(name);
  }

  /// The node of that name, when it is there and is not null.
  Optional<JsonNode> node(String name) {
    return has(name) ? Optional.of(object.get(name)) : Optional.empty();
  }

  @Override
  public String name(ConfigKey key) {
    return key.huggingFace();
  }

  @Override
  public OptionalLong integer(String name) {
    return find(name, n -> n.isIntegralNumber() && n.canConvertToLong(), "a 64-bit integer")
        .map(node -> OptionalLong.of(node.longValue()))
        .orElse(OptionalLong.empty());
  }

  @Override
  public OptionalDouble number(String name) {
    return find(name, JsonNode::isNumber, "a number")
        .map(node -> OptionalDouble.of(node.doubleValue()))
        .orElse(OptionalDouble.empty());
  }

  @Override
  public Optional<Boolean> bool(String name) {
    return find(name, JsonNode::isBoolean, "a boolean").map(JsonNode::booleanValue);
  }

  @Override
  public Optional<String> string(String name) {
    return find(name, JsonNode::isTextual, "a string").map(JsonNode::textValue);
  }

  private Optional<JsonNode> find(String name, Predicate<JsonNode> isExpected, String expected) {
    Optional<JsonNode> node = node(name);
    if (node.isPresent() && !isExpected.test(node.get())) {
      throw new ModelFormatException(
          "%s: '%s%s' must be %s".formatted(fileName, place, name, expected));
    }
    return node;
  }
}
