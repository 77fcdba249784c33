package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.AbstractStringAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ManifestsTest {
  private static final String MINIMAL = Samples.MINIMAL;

  private static final String FULL =
      """
      apiVersion: weft.dev/v1alpha1
      kind: Function
      metadata:
        name: mine
        labels:
          team: "7"
          weft.dev/tier: gold
      spec:
        model:
          kind: generation
          sources:
            - hf://org/name@main
            - uri: https://example.org/mine.gguf
              sha256: b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
          contextLength: 4096
        quantization: w8a8
        kvCache: int8
        serviceLevel:
          ttft: 500ms
          tpot: PT0.05S
          priority: 2
        scaling:
          min: 1
          max: 3
          keepAlive: 1h
          waitBudget: 90s
        devices:
          - gpu
          - cpu
        limits:
          maxHeldRequests: 10
          maxQueuedRequests: 20
          maxOutputTokens: 512
      """;

  @Test
  void readsEveryMember() {
    Function function = Manifests.parseOne(FULL);

    assertThat(function.name()).isEqualTo(new FunctionName("mine"));
    assertThat(function.metadata().labels())
        .containsEntry("team", "7")
        .containsEntry("weft.dev/tier", "gold");
    FunctionSpec spec = function.spec();
    assertThat(spec.model().kind()).isEqualTo(Model.Kind.GENERATION);
    assertThat(spec.model().contextLength()).isEqualTo(4096);
    assertThat(spec.model().sources())
        .containsExactly(
            ModelSource.of("hf://org/name@main"),
            new ModelSource(
                "https://example.org/mine.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"));
    assertThat(spec.quantization()).isEqualTo(Quantization.W8A8);
    assertThat(spec.kvCache()).isEqualTo(KvCache.INT8);
    assertThat(spec.serviceLevel())
        .isEqualTo(new ServiceLevel(Duration.ofMillis(500), Duration.ofMillis(50), 2));
    assertThat(spec.scaling())
        .isEqualTo(new Scaling(1, 3, Duration.ofHours(1), Duration.ofSeconds(90)));
    assertThat(spec.devices()).containsExactly(DeviceClass.CPU, DeviceClass.GPU);
    assertThat(spec.limits()).isEqualTo(new Limits(10, 20, 512));
  }

  @Test
  void readsAnAdapter() {
    Function function = Manifests.parseOne(Samples.ADAPTER);

    assertThat(function.spec().adapterOf()).isEqualTo(new FunctionName("support-chat"));
    assertThat(Manifests.parseOne(Manifests.toYaml(function))).isEqualTo(function);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          quantization: w8a8      | spec.quantization
          kvCache: int8           | spec.kvCache
          devices: [cpu]          | spec.devices
          adapterOf: ..           | spec.adapterOf
          adapterOf: base.team-a  | spec.adapterOf
          """)
  void refusesWhatAnAdapterCannotHave(String line, String field) {
    String manifest =
        line.startsWith("adapterOf")
            ? Samples.ADAPTER.replace("adapterOf: support-chat", line)
            : Samples.ADAPTER + "  " + line + "\n";

    assertThatExceptionOfType(InvalidManifestException.class)
        .isThrownBy(() -> Manifests.parseOne(manifest))
        .satisfies(e -> assertThat(e.field()).isEqualTo(field));
  }

  @Test
  void fillsInDefaults() {
    FunctionSpec spec = Manifests.parseOne(MINIMAL).spec();

    assertThat(spec)
        .isEqualTo(
            FunctionSpec.of(
                new Model(null, List.of(ModelSource.of("file:/models/mine.gguf")), null)));
    assertThat(spec.devices()).isEqualTo(Set.of(DeviceClass.CPU, DeviceClass.GPU));
    assertThat(spec.scaling().pinned()).isFalse();
  }

  @Test
  void takesMinForMaxThatIsLeftOut() {
    Function function = Manifests.parseOne(MINIMAL + "  scaling: {min: 4}\n");

    assertThat(function.spec().scaling().max()).isEqualTo(4);
  }

  @Test
  void writesYamlThatReadsBackTheSame() {
    Function function = Manifests.parseOne(FULL);

    String yaml = Manifests.toYaml(function);

    assertThat(Manifests.parseOne(yaml)).isEqualTo(function);
    assertThat(yaml)
        .isEqualTo(FULL.replace("PT0.05S", "50ms").replace("- gpu\n    - cpu", "- cpu\n    - gpu"));
  }

  @Test
  void writesJsonThatReadsBackTheSame() {
    for (String manifest : List.of(MINIMAL, FULL)) {
      Function function = Manifests.parseOne(manifest);

      assertThat(Manifests.parseOne(Manifests.toJson(function))).isEqualTo(function);
    }
  }

  @Test
  void readsSeveralDocumentsAndSkipsEmptyOnes() {
    String other = MINIMAL.replace("name: mine", "name: other");

    List<Function> functions =
        Manifests.parse("# a comment\n---\n" + MINIMAL + "---\n---\n" + other + "---\n");

    assertThat(functions).extracting(f -> f.name().value()).containsExactly("mine", "other");
    assertThat(Manifests.parse(Manifests.toYaml(functions))).isEqualTo(functions);
  }

  @Test
  void refusesTextWithoutAFunction() {
    assertRefused("", "").isEqualTo("there is no function in it");
    assertRefused("# nothing\n", "").isEqualTo("there is no function in it");
    assertRefused("just words", "").startsWith("this is not an object");
    assertRefused("- a\n- b\n", "").startsWith("this is not an object");
  }

  @Test
  void refusesTextThatIsTooLong() {
    assertRefused("#".repeat(Manifests.MAX_LENGTH + 1), "").contains("at most 1,048,576");
  }

  @Test
  void refusesMoreThanOneWhereOneIsExpected() {
    assertThatExceptionOfType(InvalidManifestException.class)
        .isThrownBy(() -> Manifests.parseOne(MINIMAL + "---\n" + MINIMAL))
        .withMessage("2 functions where one is expected");
  }

  @Test
  void namesTheNearestKnownMember() {
    assertRefused(MINIMAL + "  scaling:\n    keepalive: 5m\n", "spec.scaling.keepalive")
        .isEqualTo("not known; did you mean 'keepAlive'?");
    assertRefused(MINIMAL + "  quantisation: w8a8\n", "spec.quantisation")
        .startsWith("not known; did you mean 'quantization'?");
    assertRefused(MINIMAL.replace("sources", "source"), "spec.model.source")
        .startsWith("not known; did you mean 'sources'?");
    assertRefused(MINIMAL.replace("- file", "- url: file"), "spec.model.sources[0].url")
        .startsWith("not known; did you mean 'uri'?");
  }

  @Test
  void listsKnownMembersWhereNoneIsNear() {
    assertRefused(MINIMAL + "  replicas: 3\n", "spec.replicas")
        .startsWith(
            "not known; known here are"
                + " [model, adapterOf, quantization, kvCache, serviceLevel, scaling, devices,"
                + " limits]");
  }

  @Test
  void listsKnownValuesOfAnUnknownEnumValue() {
    assertRefused(MINIMAL + "  quantization: int4\n", "spec.quantization")
        .startsWith("'int4' is not one of [none, auto, w8a8, w4a8, fp8]");
    assertRefused(MINIMAL + "  quantization: W8A8\n", "spec.quantization")
        .startsWith("'W8A8' is not one of [none, auto");
    assertRefused(MINIMAL + "  devices: [cpu, tpu]\n", "spec.devices[1]")
        .startsWith("'tpu' is not one of [cpu, gpu]");
    assertRefused(MINIMAL + "  quantization: 1\n", "spec.quantization")
        .contains("not one of [none, auto");
  }

  /// Where in the manifest, as a line in place of another; the field that is named; a piece of the
  /// message.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          kind: Function        | kind: Functional          | kind                    | 'Functional' is not Function
          kind: Function        | labels: {}                | labels                  | not known; known here are
          weft.dev/v1alpha1     | weft.dev/v9               | apiVersion              | this version reads weft.dev/v1alpha1
          name: mine            | name: Mine                | metadata.name           | 'Mine' is not a function name
          name: mine            | name: -mine               | metadata.name           | is not a function name
          name: mine            | name: ..                  | metadata.name           | is not a function name
          name: mine            | name: mine.team-a         | metadata.name           | is not a function name
          name: mine            | name: 17                  | metadata.name           | is not text; write it in quotes
          name: mine            | labels: {a: b}            | metadata.name           | missing
          name: mine            | {name: a, labels: {k: -}} | metadata.labels.k       | '-' is not a label's value
          name: mine            | {name: a, labels: {"a b": c}} | metadata.labels     | 'a b' is not a label's name
          name: mine            | {name: a, labels: {k: }}  | metadata.labels.k       | is not a label's value
          name: mine            | {name: a, labels: {k: 1}} | metadata.labels.k       | not text; write it in quotes
          - file:/models/mine.gguf | []                     | spec.model.sources      | empty
          - file:/models/mine.gguf | - ftp://host/m         | spec.model.sources[0]   | starts with none of [file:, hf:, https:, oci:, pypi:, s3:]
          - file:/models/mine.gguf | - hf://only            | spec.model.sources[0]   | is not of the form hf://org/name
          - file:/models/mine.gguf | - hf://a/../b          | spec.model.sources[0]   | is not of the form hf://org/name
          - file:/models/mine.gguf | - pypi://name/path     | spec.model.sources[0]   | is not of the form pypi://package==version/path
          - file:/models/mine.gguf | - oci://registry/model | spec.model.sources[0]   | is not of the form oci://registry/repository:tag
          - file:/models/mine.gguf | - s3://b/../c          | spec.model.sources[0]   | is not of the form s3://bucket/file
          - file:/models/mine.gguf | - https://host         | spec.model.sources[0]   | is not of the form https://host/path
          - file:/models/mine.gguf | - {uri: "https://h/m", sha256: beef} | spec.model.sources[0] | sha256 is not 64 lower-case hex digits: 'beef'
          - file:/models/mine.gguf | - 3                    | spec.model.sources[0]   | address
          - file:/models/mine.gguf | -                      | spec.model.sources      | a source without an address
          - file:/models/mine.gguf | - {sha256: beef}       | spec.model.sources[0]   | a source without an address
          """)
  void refusesBadValues(String line, String replacement, String field, String message) {
    assertRefused(MINIMAL.replace(line, replacement), field).contains(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          scaling: {min: -1}                 | spec.scaling.min         | -1 is less than 0
          scaling: {min: 3, max: 2}          | spec.scaling             | min is 3, more than max, which is 2
          scaling: {max: 0}                  | spec.scaling.max         | 0 is less than 1
          scaling: {max: 1.5}                | spec.scaling.max         | not a whole number
          scaling: {max: "3"}                | spec.scaling.max         | this is not a whole number
          scaling: {max: many}               | spec.scaling.max         | this is not a whole number
          scaling: {max: 99999999999}        | spec.scaling.max         | out of range
          scaling: {keepAlive: 5}            | spec.scaling.keepAlive   | '5' is not a duration: write 500ms, 2s, 5m, 1h
          scaling: {keepAlive: 5 minutes}    | spec.scaling.keepAlive   | '5 minutes' is not a duration
          scaling: {keepAlive: -PT1S}        | spec.scaling.keepAlive   | is negative
          scaling: {keepAlive: 9000h}        | spec.scaling.keepAlive   | 9000h is more than 8760h
          scaling: {waitBudget: 25h}         | spec.scaling.waitBudget  | 25h is more than 24h
          scaling: {keepAlive: [5m]}         | spec.scaling.keepAlive   | is not a duration
          scaling: [1]                       | spec.scaling             | is not an object
          serviceLevel: {ttft: 0s}           | spec.serviceLevel.ttft   | 0s is not positive
          serviceLevel: {tpot: PT-0.1S}      | spec.serviceLevel.tpot   | is not positive
          limits: {maxHeldRequests: 0}       | spec.limits.maxHeldRequests   | 0 is less than 1
          limits: {maxQueuedRequests: -1}    | spec.limits.maxQueuedRequests | -1 is less than 1
          limits: {maxOutputTokens: 0}       | spec.limits.maxOutputTokens   | 0 is less than 1
          devices: cpu                       | spec.devices             | is not a list
          devices: [~]                       | spec.devices             | a device without a name
          """)
  void refusesBadSettings(String line, String field, String message) {
    assertRefused(MINIMAL + "  " + line + "\n", field == null ? "" : field).contains(message);
  }

  @Test
  void refusesAMissingPart() {
    assertRefused("{}", "apiVersion").isEqualTo("missing: add 'apiVersion: weft.dev/v1alpha1'");
    assertRefused("apiVersion: weft.dev/v1alpha1\nkind: Function\n", "metadata")
        .startsWith("missing");
    assertRefused(MINIMAL.substring(0, MINIMAL.indexOf("spec:")), "spec").startsWith("missing");
    assertRefused(
            MINIMAL.substring(0, MINIMAL.indexOf("  model:")) + "  limits: {}\n", "spec.model")
        .startsWith("missing");
  }

  @Test
  void takesTheDefaultForAMemberWithoutAValue() {
    assertThat(
            Manifests.parseOne(
                MINIMAL + "  scaling:\n  devices: ~\n  limits: {maxHeldRequests: }\n"))
        .isEqualTo(Manifests.parseOne(MINIMAL));
  }

  @Test
  void refusesANameGivenTwice() {
    assertRefused(MINIMAL.replace("kind: Function", "kind: Function\nkind: Function"), "")
        .contains("'kind'")
        .contains("line 3");
  }

  @Test
  void refusesAliases() {
    assertRefused(MINIMAL.replace("name: mine", "name: &n mine\n  labels: {a: *n}"), "")
        .contains("aliases (*n) are not read in manifests");
  }

  @Test
  void refusesTextThatIsNeitherYamlNorJson() {
    assertRefused("\"unclosed\n", "").contains("line");
    assertRefused("{\"apiVersion\": ", "").contains("line 1");
    assertRefused("[".repeat(5_000), "").isNotEmpty();
  }

  private static AbstractStringAssert<?> assertRefused(String manifest, String field) {
    InvalidManifestException[] thrown = new InvalidManifestException[1];
    assertThatExceptionOfType(InvalidManifestException.class)
        .as(manifest)
        .isThrownBy(() -> Manifests.parse(manifest))
        .satisfies(e -> assertThat(e.field()).as(e.describe()).isEqualTo(field))
        .satisfies(e -> thrown[0] = e);
    return assertThat(thrown[0].getMessage());
  }
}
