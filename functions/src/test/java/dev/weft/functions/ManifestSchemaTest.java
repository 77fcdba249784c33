package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SpecVersion;
import com.networknt.schema.ValidationMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The published schema and the reference are what the records make of them, and the schema agrees
/// with the reader. `-Dgolden.update` rewrites both.
class ManifestSchemaTest {
  private static final ObjectMapper YAML = new YAMLMapper();
  private static final JsonSchema SCHEMA =
      JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012)
          .getSchema(Manifests.jsonSchema());

  @Test
  void publishedSchemaIsCurrent() throws Exception {
    String schema =
        Json.mapper()
            .writerWithDefaultPrettyPrinter()
            .writeValueAsString(ManifestSchema.generate());
    Golden.assertCurrent(
        Path.of("src/main/resources/schema/function.schema.json"), schema + "\n", getClass());
  }

  @Test
  void referenceIsCurrent() throws Exception {
    Golden.assertCurrent(
        Path.of("../docs/reference/manifest.md"),
        ManifestReference.write(ManifestSchema.generate()),
        getClass());
  }

  @Test
  void schemaIsOneItself() {
    JsonSchema metaSchema =
        JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012)
            .getSchema(SchemaLocation.of(SpecVersion.VersionFlag.V202012.getId()));
    assertThat(metaSchema.validate(SCHEMA.getSchemaNode())).isEmpty();
  }

  @Test
  void acceptsTheCatalogAndTheSamples() throws IOException {
    for (Function function : Catalog.functions()) {
      String written = Catalog.manifest(function.name().value()).orElseThrow();
      assertThat(problems(written)).as(written).isEmpty();
      assertThat(problems(Manifests.toYaml(function))).isEmpty();
    }
    assertThat(problems(Samples.MINIMAL)).isEmpty();
    assertThat(problems(Samples.COMPLETE)).isEmpty();
    assertThat(problems(Manifests.toYaml(Manifests.parseOne(Samples.COMPLETE)))).isEmpty();
  }

  /// Lines that the reader refuses; the schema refuses them too.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "scaling: {min: -1}",
        "scaling: {max: 0}",
        "scaling: {max: 1.5}",
        "scaling: {max: '3'}",
        "scaling: {max: 99999999999}",
        "scaling: {keepalive: 5m}",
        "scaling: {keepAlive: 5}",
        "scaling: {keepAlive: 5 minutes}",
        "scaling: {keepAlive: 5m30s}",
        "scaling: [1]",
        "serviceLevel: {tpot: fast}",
        "serviceLevel: {priority: 0}",
        "limits: {maxHeldRequests: 0}",
        "limits: {maxOutputTokens: 0}",
        "quantization: int4",
        "quantization: W8A8",
        "kvCache: bf16",
        "devices: cpu",
        "devices: [tpu]",
        "replicas: 3"
      })
  void refusesWhatTheReaderRefuses(String line) throws IOException {
    String manifest = Samples.MINIMAL + "  " + line + "\n";
    assertThat(problems(manifest)).isNotEmpty();
    assertThat(accepted(manifest)).isFalse();
  }

  /// Replacements in the minimal manifest, and whether both take them.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "ok name: a-1",
        "no name: -a",
        "no name: A",
        "no name: ..",
        "ok {name: a, labels: {weft.dev/x: Y_1.z}}",
        "no {name: a, labels: {x: -y}}",
        "no {name: a, labels: {x/: y}}",
        "no {name: a, tags: {x: y}}",
        "no {}",
      })
  void agreesWithTheReaderOnMetadata(String sample) throws IOException {
    assertAgreement(sample, "name: mine");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ok - hf://org/name@main",
        "ok - pypi://package==1.0/path/inside",
        "ok - oci://registry.example.org:5000/team/model:v1.0",
        "ok - oci://localhost/model@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "ok - oci://r/a__b/c:t@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "ok - s3://bucket",
        "ok - s3://my.bucket-1/models/support-7b.gguf",
        "ok - {uri: 'file:/a b'}",
        "no - hf://org",
        "no - hf://org/na me",
        "no - https://host/a b",
        "no - pypi://package/path",
        "no - http://host/path",
        "no - oci://registry/model",
        "no - oci://registry/Model:tag",
        "no - oci://registry:tag",
        "no - oci://user:word@registry/model:tag",
        "no - oci://registry/a/../model:tag",
        "no - oci://registry/model@sha256:beef",
        "no - s3://b",
        "no - s3:///model",
        "no - s3://bucket/a b",
        "no - s3://key:word@bucket/model",
        "no - https://host",
        "no - {sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}",
        "no - {uri: 'file:/a', sha256: ABC}",
        "no - {uri: 'file:/a', sha: b}",
        "no - 3",
        "no []",
      })
  void agreesWithTheReaderOnSources(String sample) throws IOException {
    assertAgreement(sample, "- file:/models/mine.gguf");
  }

  private static void assertAgreement(String sample, String replaced) throws IOException {
    String manifest = Samples.MINIMAL.replace(replaced, sample.substring(3));
    boolean expected = sample.startsWith("ok ");
    assertThat(problems(manifest).isEmpty()).as("schema: " + manifest).isEqualTo(expected);
    assertThat(accepted(manifest)).as("reader: " + manifest).isEqualTo(expected);
  }

  private static Set<ValidationMessage> problems(String yaml) throws IOException {
    JsonNode tree = YAML.readTree(yaml);
    return SCHEMA.validate(tree);
  }

  private static boolean accepted(String manifest) {
    try {
      Manifests.parse(manifest);
      return true;
    } catch (InvalidManifestException e) {
      return false;
    }
  }
}
