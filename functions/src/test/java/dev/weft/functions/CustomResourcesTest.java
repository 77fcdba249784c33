package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/// The chart's definitions of the custom resources are what the records make of them.
/// `-Dgolden.update` rewrites them.
class CustomResourcesTest {
  private static final Path CHART = Path.of("../helm/weft/files/crds");

  @Test
  void committedDefinitionsAreCurrent() throws Exception {
    for (CustomResources.File file : CustomResources.generate()) {
      Golden.assertCurrent(CHART.resolve(file.name()), file.yaml(), getClass());
    }
  }

  /// What the apiserver refuses in a definition, or what would make `{{` a template of the chart.
  @Test
  void definitionsAreStructural() throws Exception {
    for (CustomResources.File file : CustomResources.generate()) {
      assertThat(file.yaml()).doesNotContain("anyOf", "const:", "uniqueItems", "enumDescriptions");
      JsonNode tree = new YAMLMapper().readTree(file.yaml());
      assertTyped(tree.at("/spec/versions/0/schema/openAPIV3Schema"), file.name());
    }
  }

  private static void assertTyped(JsonNode schema, String path) {
    assertThat(schema.path("type").asText()).as(path).isNotEmpty();
    schema
        .path("properties")
        .properties()
        .forEach(member -> assertTyped(member.getValue(), path + "." + member.getKey()));
    if (schema.has("items")) {
      assertTyped(schema.get("items"), path + "[]");
    }
    if (schema.has("additionalProperties")) {
      assertTyped(schema.get("additionalProperties"), path + ".*");
    }
  }
}
