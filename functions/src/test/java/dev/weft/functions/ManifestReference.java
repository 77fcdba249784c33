package dev.weft.functions;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Writes the manifest's reference from its schema, one table an object.
final class ManifestReference {
  private final StringBuilder text = new StringBuilder();

  private ManifestReference() {}

  static String write(JsonNode schema) {
    ManifestReference reference = new ManifestReference();
    reference.text.append(
        """
        # The function manifest

        <!-- Generated from the records of `functions/` and their documentation comments.
             Rewrite it with: ./weft mvn -pl functions -Dtest=ManifestSchemaTest -Dgolden.update test -->

        A function is declared by a YAML or JSON document. One YAML file may hold several, divided by `---`.
        Reading is strict: a member that is not listed here is refused, with the nearest known name.
        Durations are written `500ms`, `2s`, `5m`, `1h`, or as in ISO-8601 (`PT1M30S`).
        Editors can check manifests against the JSON Schema in `functions/src/main/resources/schema/function.schema.json`.

        The least that works:

        ```yaml
        %s```

        Every member there is:

        ```yaml
        %s```

        A low-rank adapter (LoRA) of another function's model, called by its own name or as
        `support-chat:support-polite`:

        ```yaml
        %s```
        """
            .formatted(Samples.MINIMAL, Samples.COMPLETE, Samples.ADAPTER));
    reference.object("", schema);
    return reference.text.toString();
  }

  private void object(String path, JsonNode schema) {
    text.append("\n## ").append(path.isEmpty() ? "The document" : "`" + path + "`").append("\n\n");
    text.append(sentence(schema.path("description").asText())).append("\n\n");
    text.append("| member | type | default | meaning |\n|---|---|---|---|\n");
    List<String> required = new ArrayList<>();
    schema.path("required").forEach(name -> required.add(name.asText()));
    Map<String, JsonNode> nested = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> member : schema.path("properties").properties()) {
      String name = member.getKey();
      JsonNode property = member.getValue();
      text.append(
          "| `%s` | %s | %s | %s |\n"
              .formatted(
                  name,
                  type(property),
                  required.contains(name) ? "required" : defaultOf(property),
                  cell(property.path("description").asText() + choices(property))));
      String place = path.isEmpty() ? name : path + "." + name;
      if (property.has("properties")) {
        nested.put(place, property);
      }
      JsonNode alternative = property.at("/items/anyOf/1");
      if (alternative.has("properties")) {
        nested.put(place + "[]", alternative);
      }
    }
    nested.forEach(this::object);
  }

  private static String type(JsonNode property) {
    if (property.has("const")) {
      return "`" + property.path("const").asText() + "`";
    }
    if (property.has("examples")) {
      return "duration";
    }
    return switch (property.path("type").asText()) {
      case "integer" -> "integer, at least " + property.path("minimum").asText();
      case "array" ->
          "list of " + (property.at("/items/enum").isMissingNode() ? "sources" : "words");
      case "object" -> property.has("properties") ? "object" : "object of words";
      default -> property.has("enum") ? "word" : "text";
    };
  }

  private static String defaultOf(JsonNode property) {
    return property.has("default") ? "`" + property.path("default").asText() + "`" : "";
  }

  private static String choices(JsonNode property) {
    JsonNode holder = property.has("items") ? property.path("items") : property;
    StringBuilder choices = new StringBuilder();
    for (int i = 0; i < holder.path("enum").size(); i++) {
      choices.append(
          "<br>`%s`: %s"
              .formatted(
                  holder.path("enum").path(i).asText(),
                  holder.path("enumDescriptions").path(i).asText()));
    }
    return choices.toString();
  }

  private static String sentence(String phrase) {
    return phrase.substring(0, 1).toUpperCase(Locale.ROOT)
        + phrase.substring(1)
        + (phrase.endsWith(".") ? "" : ".");
  }

  private static String cell(String text) {
    return text.replace("|", "\\|");
  }
}
