package dev.weft.functions;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Generates the JSON Schema of a manifest from its records. Names and types come from the records,
/// descriptions from their documentation comments, and what is required, the defaults and the least
/// numbers from asking [Manifests]: it is given a complete manifest with one member changed. So the
/// schema cannot say what the reader does not do.
final class ManifestSchema {
  static final String ID = "https://weft.dev/schema/v1alpha1/function.schema.json";

  private static final ObjectMapper MAPPER = Json.mapper();
  private static final JsonNodeFactory NODES = MAPPER.getNodeFactory();

  private final SourceDocs docs = SourceDocs.read();
  private final JsonNode complete;
  private final JsonNode defaults;

  private ManifestSchema() throws Exception {
    complete = MAPPER.readTree(Manifests.toJson(Manifests.parseOne(Samples.COMPLETE)));
    defaults = MAPPER.readTree(Manifests.toJson(Manifests.parseOne(Samples.MINIMAL)));
  }

  static ObjectNode generate() throws Exception {
    ObjectNode schema = NODES.objectNode();
    schema.put("$schema", "https://json-schema.org/draft/2020-12/schema");
    schema.put("$id", ID);
    schema.put("title", "Weft function manifest");
    schema.setAll(new ManifestSchema().object(Function.class, ""));
    ((ObjectNode) schema.at("/properties/apiVersion")).put("const", Function.API_VERSION);
    ((ObjectNode) schema.at("/properties/kind")).put("const", Function.KIND);
    return schema;
  }

  /// `pointer` is the place in the complete manifest.
  private ObjectNode object(Class<?> record, String pointer) {
    ObjectNode schema = NODES.objectNode();
    schema.put("description", docs.of(record));
    schema.put("type", "object");
    schema.put("additionalProperties", false);
    ArrayNode required = NODES.arrayNode();
    ObjectNode properties = NODES.objectNode();
    for (RecordComponent component : record.getRecordComponents()) {
      String name = component.getName();
      String place = pointer + "/" + name;
      // What an adapter is, a complete model cannot be as well.
      boolean adapter = component.getName().equals("adapterOf");
      if (complete.at(place).isMissingNode() && !adapter) {
        throw new IllegalStateException("the complete sample lacks " + place);
      }
      ObjectNode property = property(component.getGenericType(), place);
      property.put("description", docs.of(record, name));
      properties.set(name, property);
      if (!accepted(place, NODES.missingNode())) {
        required.add(name);
      } else if (defaults.at(place).isValueNode()) {
        property.set("default", defaults.at(place));
      }
    }
    if (!required.isEmpty()) {
      schema.set("required", required);
    }
    schema.set("properties", properties);
    return schema;
  }

  private ObjectNode property(Type type, String place) {
    if (type instanceof ParameterizedType generic) {
      return container((Class<?>) generic.getRawType(), generic.getActualTypeArguments(), place);
    }
    Class<?> plain = (Class<?>) type;
    if (plain == Integer.class) {
      return integer(place);
    }
    if (plain == Duration.class) {
      return duration();
    }
    if (plain == FunctionName.class) {
      return text(FunctionName.PATTERN);
    }
    if (plain == ModelSource.class) {
      return source(place);
    }
    if (plain.isEnum()) {
      return choice(plain);
    }
    if (plain == String.class) {
      return place.endsWith("/sha256")
          ? text(ModelSource.SHA256.pattern())
          : place.endsWith("/uri") ? text(uriPattern()) : NODES.objectNode().put("type", "string");
    }
    if (plain.isRecord()) {
      return object(plain, place);
    }
    throw new IllegalStateException("no schema for " + type + " at " + place);
  }

  private ObjectNode container(Class<?> type, Type[] of, String place) {
    ObjectNode schema = NODES.objectNode();
    if (type == Map.class) {
      schema.put("type", "object");
      schema.put("maxProperties", Function.Metadata.MAX_LABELS);
      schema.set("propertyNames", pattern(Function.Metadata.LABEL_NAME.pattern()));
      schema.set("additionalProperties", text(Function.Metadata.LABEL_VALUE.pattern()));
      return schema;
    }
    schema.put("type", "array");
    schema.set("items", property(of[0], place + "/0"));
    if (type == Set.class) {
      schema.put("uniqueItems", true);
    }
    if (!accepted(place, NODES.arrayNode())) {
      schema.put("minItems", 1);
    }
    return schema;
  }

  private ObjectNode integer(String place) {
    int least =
        IntStream.of(0, 1)
            .filter(value -> accepted(place, NODES.numberNode(value)))
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("neither 0 nor 1 at " + place));
    return NODES
        .objectNode()
        .put("type", "integer")
        .put("minimum", least)
        .put("maximum", Integer.MAX_VALUE);
  }

  private static ObjectNode duration() {
    String iso = "P(?=.)([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+(\\.[0-9]{1,9})?S)?)?";
    ObjectNode schema = text("%s|%s".formatted(DurationText.SHORT.pattern(), iso));
    schema.set("examples", NODES.arrayNode().add("500ms").add("2s").add("5m").add("1h"));
    return schema;
  }

  private ObjectNode source(String place) {
    ObjectNode schema = NODES.objectNode();
    ObjectNode address = text(uriPattern());
    address.put("description", docs.of(ModelSource.class, "uri"));
    schema.set("anyOf", NODES.arrayNode().add(address).add(object(ModelSource.class, place)));
    return schema;
  }

  private static String uriPattern() {
    return Stream.of(
            ModelSource.FILE,
            ModelSource.HUB,
            ModelSource.WEB,
            ModelSource.REGISTRY,
            ModelSource.PACKAGE,
            ModelSource.STORE)
        .map(Object::toString)
        .collect(Collectors.joining("|"));
  }

  private ObjectNode choice(Class<?> type) {
    List<? extends Enum<?>> constants =
        Arrays.stream(type.getEnumConstants()).map(constant -> (Enum<?>) constant).toList();
    ObjectNode schema = NODES.objectNode().put("type", "string");
    ArrayNode names = schema.putArray("enum");
    ArrayNode descriptions = schema.putArray("enumDescriptions");
    for (Enum<?> constant : constants) {
      names.add(constant.name().toLowerCase(Locale.ROOT));
      descriptions.add(docs.of(type, constant.name()));
    }
    return schema;
  }

  private static ObjectNode text(String regex) {
    return pattern(regex).put("type", "string");
  }

  private static ObjectNode pattern(String regex) {
    return NODES.objectNode().put("pattern", "^(" + regex.replace("\\d", "[0-9]") + ")$");
  }

  /// Whether the complete manifest is still one with another value in that place.
  private boolean accepted(String place, JsonNode value) {
    ObjectNode changed = complete.deepCopy();
    JsonNode parent = changed.at(place.substring(0, place.lastIndexOf('/')));
    String name = place.substring(place.lastIndexOf('/') + 1);
    if (value.isMissingNode()) {
      ((ObjectNode) parent).remove(name);
    } else {
      ((ObjectNode) parent).set(name, value);
    }
    try {
      Manifests.parse(changed.toString());
      return true;
    } catch (InvalidManifestException e) {
      return false;
    }
  }
}
