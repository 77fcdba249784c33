package dev.weft.functions;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Schemas in the part of OpenAPI that a custom resource's definition may have: made from the
/// manifest's JSON Schema, or from records. What a schema cannot say for people is a rule of
/// [ResourceRules]. Defaults are told and not set: what a user left out stays left out. Lists that
/// users write have bounds, so that rules of them do; what is told of many devices has none.
final class StructuralSchema {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final int MAX_ITEMS = 16;
  private static final int MAX_WORD = 63;
  private static final int MAX_TEXT = 2_048;

  private final SourceDocs docs = SourceDocs.read();
  private final ResourceRules rules;

  StructuralSchema(ResourceRules rules) {
    this.rules = rules;
  }

  /// What a part of the manifest's schema becomes.
  ///
  /// @param path the part's place in the custom resource, such as `spec.scaling`
  ObjectNode of(JsonNode manifest, String path) {
    if (manifest.has("anyOf")) {
      // The address alone, or an object: a custom resource has the object.
      return of(manifest.get("anyOf").get(1), path);
    }
    ObjectNode schema = NODES.objectNode();
    schema.put("description", describe(manifest));
    schema.put("type", manifest.path("type").asText());
    switch (manifest.path("type").asText()) {
      case "object" -> object(manifest, path, schema);
      case "array" -> {
        schema.set("items", of(manifest.get("items"), path + "[]"));
        schema.put("maxItems", MAX_ITEMS);
        copy(manifest, "minItems", schema);
        schema.put("x-kubernetes-list-type", manifest.has("uniqueItems") ? "set" : "atomic");
      }
      case "integer" -> {
        schema.put("format", "int32");
        copy(manifest, "minimum", schema);
      }
      default -> text(manifest, path, schema);
    }
    rules.addTo(schema, path);
    return schema;
  }

  private void object(JsonNode manifest, String path, ObjectNode schema) {
    copy(manifest, "required", schema);
    ObjectNode properties = schema.putObject("properties");
    manifest
        .get("properties")
        .properties()
        .forEach(member ->
            properties.set(member.getKey(), of(member.getValue(), path + "." + member.getKey())));
  }

  private static void text(JsonNode manifest, String path, ObjectNode schema) {
    if (manifest.has("enum")) {
      copy(manifest, "enum", schema);
    } else {
      schema.put("maxLength", path.endsWith("uri") ? MAX_TEXT : MAX_WORD + 1);
    }
  }

  private static String describe(JsonNode manifest) {
    // How else a manifest may write it is not for here.
    String text = manifest.path("description").asText().replaceFirst(" In a manifest .*", "");
    if (manifest.has("default")) {
      text += "; %s when left out".formatted(manifest.get("default").asText());
    }
    if (manifest.has("enumDescriptions")) {
      StringBuilder values = new StringBuilder(text);
      for (int i = 0; i < manifest.get("enum").size(); i++) {
        values
            .append("\n")
            .append(manifest.get("enum").get(i).asText())
            .append(": ")
            .append(manifest.get("enumDescriptions").get(i).asText());
      }
      text = values.toString();
    }
    return text;
  }

  private static void copy(JsonNode from, String name, ObjectNode to) {
    if (from.has(name)) {
      to.set(name, from.get(name));
    }
  }

  /// What a record that no manifest has becomes; its members are required unless they may be
  /// `null`.
  ObjectNode of(Class<?> record, String path) {
    ObjectNode schema = NODES.objectNode();
    schema.put("description", docs.of(record));
    schema.put("type", "object");
    ArrayNode required = NODES.arrayNode();
    ObjectNode properties = NODES.objectNode();
    for (RecordComponent component : record.getRecordComponents()) {
      String name = component.getName();
      ObjectNode property = of(component.getGenericType(), path + "." + name);
      property.put("description", docs.of(record, name));
      properties.set(name, property);
      if (!component.getAnnotatedType().isAnnotationPresent(Nullable.class)) {
        required.add(name);
      }
    }
    if (!required.isEmpty()) {
      schema.set("required", required);
    }
    schema.set("properties", properties);
    rules.addTo(schema, path);
    return schema;
  }

  private ObjectNode of(Type type, String path) {
    ObjectNode schema = NODES.objectNode();
    if (type instanceof ParameterizedType generic) {
      Type[] of = generic.getActualTypeArguments();
      if (generic.getRawType() == Map.class) {
        schema.put("type", "object").put("maxProperties", MAX_ITEMS);
        schema.set("additionalProperties", of(of[1], path + ".*"));
      } else {
        schema.put("type", "array");
        if (!path.startsWith("status")) {
          schema.put("maxItems", MAX_ITEMS);
        }
        schema.set("items", of(of[0], path + "[]"));
        schema.put("x-kubernetes-list-type", "atomic");
      }
    } else if (type == Integer.class || type == Long.class) {
      schema.put("type", "integer").put("format", type == Long.class ? "int64" : "int32");
    } else if (type == Instant.class) {
      return schema.put("type", "string").put("format", "date-time");
    } else if (type == String.class) {
      schema.put("type", "string").put("maxLength", MAX_TEXT);
    } else if (type instanceof Class<?> choice && choice.isEnum()) {
      schema.put("type", "string");
      ArrayNode values = schema.putArray("enum");
      List.of(choice.getEnumConstants())
          .forEach(each -> values.add(((Enum<?>) each).name().toLowerCase(Locale.ROOT)));
    } else {
      return of((Class<?>) type, path);
    }
    rules.addTo(schema, path);
    return schema;
  }
}
