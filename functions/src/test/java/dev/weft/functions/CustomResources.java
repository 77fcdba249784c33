package dev.weft.functions;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.weft.functions.cluster.DevicePoolSpec;
import dev.weft.functions.cluster.DevicePoolStatus;
import dev.weft.functions.cluster.FunctionStatus;
import dev.weft.functions.cluster.TrafficShare;
import java.util.List;

/// Generates the definitions of Weft's custom resources: from the manifest's schema, which comes
/// from its records, from the records of [dev.weft.functions.cluster], and from [ResourceRules].
final class CustomResources {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final String CONDITION = ".status.conditions[?(@.type==\"Ready\")].";
  private static final YAMLMapper YAML =
      YAMLMapper.builder(
              YAMLFactory.builder()
                  .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
                  .disable(YAMLGenerator.Feature.SPLIT_LINES)
                  .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
                  .enable(YAMLGenerator.Feature.LITERAL_BLOCK_STYLE)
                  .enable(YAMLGenerator.Feature.INDENT_ARRAYS_WITH_INDICATOR)
                  .build())
          .build();

  private CustomResources() {}

  /// One definition, as a file.
  record File(String name, String yaml) {}

  static List<File> generate() throws Exception {
    return List.of(function(), revision(), pool());
  }

  private static File function() throws Exception {
    ResourceRules rules = ResourceRules.ofFunction();
    StructuralSchema schemas = new StructuralSchema(rules);
    ObjectNode spec = schemas.of(manifestSpec(), "spec");
    ObjectNode traffic = NODES.objectNode();
    traffic.put(
        "description",
        "which revision gets how many of a hundred calls; the newest gets all when left out."
            + " A rollback is one share of 100 percent for an earlier revision, a canary two shares");
    traffic.put("type", "array").put("maxItems", 4).put("x-kubernetes-list-type", "atomic");
    traffic.set("items", schemas.of(TrafficShare.class, "spec.traffic[]"));
    rules.addTo(traffic, "spec.traffic");
    ((ObjectNode) spec.get("properties")).set("traffic", traffic);
    ObjectNode version = version(spec, schemas.of(FunctionStatus.class, "status"));
    rules.addTo((ObjectNode) version.at("/schema/openAPIV3Schema"), "");
    rules.requireAllUsed();
    version
        .withObject("subresources")
        .putObject("scale")
        .put("specReplicasPath", ".spec.scaling.min")
        .put("statusReplicasPath", ".status.instances")
        .put("labelSelectorPath", ".status.selector");
    column(version, "Ready", "string", CONDITION + "status");
    column(version, "Reason", "string", CONDITION + "reason");
    column(version, "Revision", "string", ".status.activeRevision");
    column(version, "Instances", "integer", ".status.instances");
    column(version, "URL", "string", ".status.url");
    column(version, "Age", "date", ".metadata.creationTimestamp");
    return file(definition("Function", "functions", version, "fn"));
  }

  private static File revision() throws Exception {
    ResourceRules rules = ResourceRules.ofRevision();
    StructuralSchema schemas = new StructuralSchema(ResourceRules.none());
    ObjectNode spec = NODES.objectNode();
    spec.put("description", "A revision of a function: what was deployed. It never changes.");
    spec.put("type", "object");
    spec.putArray("required").add("function").add("number").add("template");
    ObjectNode properties = spec.putObject("properties");
    properties
        .putObject("function")
        .put("description", "the function that it is of")
        .put("type", "string")
        .put("maxLength", 63);
    properties
        .putObject("number")
        .put("description", "how many revisions there were before it, plus one")
        .put("type", "integer")
        .put("format", "int32")
        .put("minimum", 1);
    properties.set("template", schemas.of(manifestSpec(), "template"));
    rules.addTo(spec, "spec");
    rules.requireAllUsed();
    ObjectNode version = version(spec, null);
    column(version, "Function", "string", ".spec.function");
    column(version, "Number", "integer", ".spec.number");
    column(version, "Age", "date", ".metadata.creationTimestamp");
    return file(definition("FunctionRevision", "functionrevisions", version, "fnrev"));
  }

  private static File pool() throws JsonProcessingException {
    ResourceRules rules = ResourceRules.ofPool();
    StructuralSchema schemas = new StructuralSchema(rules);
    ObjectNode version =
        version(
            schemas.of(DevicePoolSpec.class, "spec"), schemas.of(DevicePoolStatus.class, "status"));
    rules.addTo((ObjectNode) version.at("/schema/openAPIV3Schema"), "");
    rules.requireAllUsed();
    version
        .withObject("subresources")
        .putObject("scale")
        .put("specReplicasPath", ".spec.replicas")
        .put("statusReplicasPath", ".status.replicas")
        .put("labelSelectorPath", ".status.selector");
    column(version, "Device", "string", ".spec.device");
    column(version, "Ready", "string", CONDITION + "status");
    column(version, "Reason", "string", CONDITION + "reason");
    column(version, "Devices", "integer", ".status.ready");
    column(version, "Age", "date", ".metadata.creationTimestamp");
    return file(definition("DevicePool", "devicepools", version, "dp"));
  }

  private static JsonNode manifestSpec() throws Exception {
    return ManifestSchema.generate().at("/properties/spec");
  }

  private static ObjectNode version(
      ObjectNode spec, @org.jspecify.annotations.Nullable ObjectNode status) {
    ObjectNode version = NODES.objectNode();
    version.put("name", Function.API_VERSION.substring(Function.API_VERSION.indexOf('/') + 1));
    version.put("served", true).put("storage", true);
    version.putArray("additionalPrinterColumns");
    if (status != null) {
      version.putObject("subresources").putObject("status");
    }
    ObjectNode schema = version.putObject("schema").putObject("openAPIV3Schema");
    schema.put("type", "object");
    schema.putArray("required").add("spec");
    ObjectNode properties = schema.putObject("properties");
    properties.putObject("apiVersion").put("type", "string");
    properties.putObject("kind").put("type", "string");
    properties.putObject("metadata").put("type", "object");
    properties.set("spec", spec);
    if (status != null) {
      properties.set("status", status);
    }
    return version;
  }

  private static void column(ObjectNode version, String name, String type, String path) {
    ((ArrayNode) version.get("additionalPrinterColumns"))
        .addObject()
        .put("name", name)
        .put("type", type)
        .put("jsonPath", path);
  }

  private static ObjectNode definition(
      String kind, String plural, ObjectNode version, String shortName) {
    String group = Function.API_VERSION.substring(0, Function.API_VERSION.indexOf('/'));
    ObjectNode definition = NODES.objectNode();
    definition.put("apiVersion", "apiextensions.k8s.io/v1");
    definition.put("kind", "CustomResourceDefinition");
    definition.putObject("metadata").put("name", plural + "." + group);
    ObjectNode spec = definition.putObject("spec");
    spec.put("group", group);
    ObjectNode names = spec.putObject("names");
    names.put("kind", kind).put("listKind", kind + "List");
    names.put("plural", plural).put("singular", kind.toLowerCase(java.util.Locale.ROOT));
    names.putArray("shortNames").add(shortName);
    names.putArray("categories").add("weft");
    spec.put("scope", "Namespaced");
    spec.putArray("versions").add(version);
    return definition;
  }

  private static File file(ObjectNode definition) throws JsonProcessingException {
    return new File(
        definition.at("/spec/names/plural").asText() + ".yaml",
        "# Generated from the records of dev.weft.functions by CustomResourcesTest.\n"
            + YAML.writeValueAsString(definition));
  }
}
