package dev.weft.platform.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What the chart makes of its values: every set that comes with it, and what must hold in all.
final class HelmChartTest {
  private static final YAMLMapper YAML = new YAMLMapper();

  private static final Set<String> NAMESPACED =
      Set.of(
          "ConfigMap",
          "Deployment",
          "HorizontalPodAutoscaler",
          "Ingress",
          "NetworkPolicy",
          "PersistentVolumeClaim",
          "PodDisruptionBudget",
          "PrometheusRule",
          "Role",
          "RoleBinding",
          "Secret",
          "Service",
          "ServiceAccount",
          "ServiceMonitor");

  static Stream<Path> valueSets() throws IOException {
    List<Path> sets = new ArrayList<>(List.of(ApiServer.CHART.resolve("values.yaml")));
    try (Stream<Path> files = Files.list(ApiServer.CHART.resolve("values"))) {
      files.sorted().forEach(sets::add);
    }
    return sets.stream();
  }

  private static List<JsonNode> objects(String yaml) throws IOException {
    try (MappingIterator<JsonNode> documents = YAML.readerFor(JsonNode.class).readValues(yaml)) {
      return documents.readAll().stream().filter(JsonNode::isObject).toList();
    }
  }

  private static List<JsonNode> rendered(Path values) throws IOException {
    return objects(HelmChart.template("--values", values.toString()));
  }

  private static Optional<JsonNode> find(List<JsonNode> objects, String kind, String name) {
    return objects.stream()
        .filter(each -> each.path("kind").asText().equals(kind))
        .filter(each -> each.at("/metadata/name").asText().equals(name))
        .findFirst();
  }

  @Test
  void lintHasNothingToSay() {
    HelmChart.Printed printed = HelmChart.helm("lint", "--strict", ApiServer.CHART.toString());
    assertThat(printed.exit()).as(printed.out()).isZero();
  }

  @ParameterizedTest
  @MethodSource("valueSets")
  void podsAreRestricted(Path values) throws IOException {
    List<JsonNode> pods =
        rendered(values).stream()
            .map(each -> each.at("/spec/template/spec"))
            .filter(JsonNode::isObject)
            .toList();
    assertThat(pods).hasSize(2);
    for (JsonNode pod : pods) {
      assertThat(pod.at("/securityContext/runAsNonRoot").asBoolean()).isTrue();
      assertThat(pod.at("/securityContext/seccompProfile/type").asText())
          .isEqualTo("RuntimeDefault");
      assertThat(pod.at("/securityContext/runAsUser").isMissingNode()).isTrue();
      JsonNode container = pod.at("/containers/0");
      JsonNode security = container.path("securityContext");
      assertThat(security.path("readOnlyRootFilesystem").asBoolean()).isTrue();
      assertThat(security.path("allowPrivilegeEscalation").asBoolean(true)).isFalse();
      assertThat(security.at("/capabilities/drop/0").asText()).isEqualTo("ALL");
      assertThat(container.path("readinessProbe").isObject()).isTrue();
      assertThat(container.at("/resources/limits/memory").asText()).isNotEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource("valueSets")
  void nobodyMayDoEverythingAnywhere(Path values) throws IOException {
    for (JsonNode object : rendered(values)) {
      assertThat(object.path("kind").asText()).isNotIn("ClusterRole", "ClusterRoleBinding");
      for (JsonNode rule : object.path("rules")) {
        assertThat(rule.toString()).doesNotContain("\"*\"");
        if (rule.path("resources").toString().contains("secrets")) {
          assertThat(rule.path("resourceNames").size()).isEqualTo(1);
          assertThat(rule.path("verbs").toString()).isEqualTo("[\"get\",\"patch\"]");
        }
      }
    }
  }

  /// What is not of a namespace is the definitions, which no namespace can have.
  @ParameterizedTest
  @MethodSource("valueSets")
  void allButDefinitionsIsOfTheReleasesNamespace(Path values) throws IOException {
    assertThat(kinds(rendered(values)))
        .contains("Deployment")
        .isSubsetOf(
            Stream.concat(Stream.of("CustomResourceDefinition"), NAMESPACED.stream()).toList());
  }

  @Test
  void thereIsOneClusterRoleForWhoServesAllNamespaces() throws IOException {
    List<JsonNode> objects = objects(HelmChart.template("--set", "scope=cluster"));
    Set<String> kinds = kinds(objects);
    kinds.removeAll(kinds(objects(HelmChart.template())));
    assertThat(kinds).containsExactlyInAnyOrder("ClusterRole", "ClusterRoleBinding");
    JsonNode role = find(objects, "ClusterRole", "weft-functions-of-all-namespaces").orElseThrow();
    assertThat(role.path("rules")).isNotEmpty();
    for (JsonNode rule : role.path("rules")) {
      assertThat(rule.toString()).doesNotContain("*", "secrets", "pods");
    }
    assertThat(find(objects, "Role", "weft-controller"))
        .isEqualTo(find(objects(HelmChart.template()), "Role", "weft-controller"));
  }

  private static Set<String> kinds(List<JsonNode> objects) {
    return objects.stream()
        .map(each -> each.path("kind").asText())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @ParameterizedTest
  @MethodSource("valueSets")
  void nothingComesOrGoesUnasked(Path values) throws IOException {
    JsonNode policy = find(rendered(values), "NetworkPolicy", "weft").orElseThrow();
    assertThat(policy.at("/spec/policyTypes").toString()).isEqualTo("[\"Ingress\",\"Egress\"]");
    assertThat(policy.at("/spec/ingress").isMissingNode()).isTrue();
    assertThat(policy.at("/spec/egress").toString()).doesNotContain("ipBlock");
  }

  @Test
  void definitionsStayUnlessToldOtherwise() throws IOException {
    List<JsonNode> kept = objects(HelmChart.template());
    JsonNode functions = find(kept, "CustomResourceDefinition", "functions.weft.dev").orElseThrow();
    assertThat(functions.at("/metadata/annotations").toString())
        .isEqualTo("{\"helm.sh/resource-policy\":\"keep\"}");
    assertThat(HelmChart.template("--set", "crds.keep=false")).doesNotContain("resource-policy");
    assertThat(HelmChart.template("--set", "crds.enabled=false"))
        .doesNotContain("kind: CustomResourceDefinition");
  }

  /// What the chart makes of single values is said in its own tests, which users of charts know.
  @Test
  void itsUnitTestsPass() {
    HelmChart.Printed printed = HelmChart.run("helm-unittest", ApiServer.CHART.toString());
    assertThat(printed.exit()).as(printed.out()).isZero();
    assertThat(printed.out()).containsPattern("Tests:\\s+[1-9]\\d* passed");
  }

  @Test
  void theReadmeIsWhatHelmDocsMakes() throws IOException {
    HelmChart.Printed printed =
        HelmChart.run(
            "helm-docs",
            "--chart-search-root=" + ApiServer.CHART,
            "--log-level=error",
            "--dry-run");
    assertThat(printed.exit()).as(printed.out()).isZero();
    assertThat(printed.out().strip())
        .isEqualTo(Files.readString(ApiServer.CHART.resolve("README.md")).strip());
  }

  @ParameterizedTest
  @MethodSource("valueSets")
  void whatHelmTestRunsIsThereInEverySet(Path values) throws IOException {
    HelmChart.Printed printed =
        HelmChart.helm(
            "template",
            "weft",
            ApiServer.CHART.toString(),
            "--show-only",
            "templates/tests/gateway-test.yaml",
            "--values",
            values.toString());
    JsonNode pod = find(objects(printed.out()), "Pod", "weft-test").orElseThrow();
    assertThat(pod.at("/metadata/annotations").path("helm.sh/hook").asText()).isEqualTo("test");
  }

  @Test
  void ownSecretsAreNotMade() throws IOException {
    List<JsonNode> objects = rendered(ApiServer.CHART.resolve("values/own-secrets.yaml"));
    assertThat(find(objects, "Secret", "weft-access")).isEmpty();
    assertThat(find(objects, "Secret", "weft-keys")).isPresent();
    assertThat(find(objects, "Deployment", "weft-gateway").orElseThrow().toString())
        .contains("weft-keys-of-ours", "weft-runtime-of-ours");
  }

  @Test
  void gatewaysDoNotGetTheKeyThatAdministers() throws IOException {
    JsonNode gateway =
        find(objects(HelmChart.template()), "Deployment", "weft-gateway").orElseThrow();
    assertThat(gateway.toString()).contains("gateway-key").doesNotContain("api-key");
  }

  /// The release that brings a kind cannot have objects of it: helm would find no such kind.
  @ParameterizedTest
  @MethodSource("valueSets")
  void poolsAreForTheControllerToMake(Path values) throws IOException {
    List<JsonNode> objects = rendered(values);
    assertThat(objects).noneMatch(each -> each.path("apiVersion").asText().startsWith("weft.dev"));
    JsonNode pools = find(objects, "ConfigMap", "weft-pools").orElseThrow().path("data");
    assertThat(pools).isNotEmpty();
    for (JsonNode pool : pools) {
      assertThat(YAML.readTree(pool.asText()).path("device").asText()).isIn("cpu", "gpu");
    }
  }

  @Test
  void anExternalDatabaseIsTheControllersAlone() throws IOException {
    List<JsonNode> objects = rendered(ApiServer.CHART.resolve("values/postgresql.yaml"));
    assertThat(find(objects, "Deployment", "weft-controller").orElseThrow().toString())
        .contains(
            "jdbc:postgresql://weft-db-rw:5432/app?"
                + "sslmode=verify-full&sslrootcert=%2Fetc%2Fweft%2Fdatabase-ca%2Fca.crt",
            "weft-db-app", "weft-db-ca");
    assertThat(find(objects, "Deployment", "weft-gateway").orElseThrow().toString())
        .doesNotContain("weft-db");
    assertThat(
            find(objects, "NetworkPolicy", "weft-controller")
                .orElseThrow()
                .at("/spec/egress/2")
                .toString())
        .contains("5432", "cnpg.io/cluster");
    assertThat(HelmChart.template()).doesNotContain("WEFT_DATABASE", "5432");
    HelmChart.Printed refused =
        HelmChart.helm(
            "template", "weft", ApiServer.CHART.toString(), "--set", "externalDatabase.host=db");
    assertThat(refused.exit()).isNotZero();
    assertThat(refused.out()).contains("existingSecret");
  }

  @Test
  void toggledObjectsAreThereWhenAskedFor() throws IOException {
    List<JsonNode> objects = rendered(ApiServer.CHART.resolve("values/high-availability.yaml"));
    assertThat(find(objects, "HorizontalPodAutoscaler", "weft-gateway")).isPresent();
    assertThat(find(objects, "PrometheusRule", "weft")).isPresent();
    assertThat(find(objects, "ServiceMonitor", "weft-runtime")).isPresent();
    assertThat(find(objects, "ConfigMap", "weft-dashboard")).isPresent();
    assertThat(
            find(objects, "Deployment", "weft-gateway").orElseThrow().at("/spec").has("replicas"))
        .isFalse();
    assertThat(HelmChart.template())
        .doesNotContain("HorizontalPodAutoscaler", "monitoring.coreos.com", "kind: Ingress");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gateway.replicas=many",
        "gateway.replicaCount=3",
        "image.pullPolicy=Sometimes",
        "scope=everything",
        "networkPolicy.enabled=perhaps",
        "controller.persistence.size=5",
        "auth.existingsecret=x",
      })
  void valuesThatCannotBeMeantAreRefused(String value) {
    HelmChart.Printed printed =
        HelmChart.helm("template", "weft", ApiServer.CHART.toString(), "--set", value);
    assertThat(printed.exit()).isNotZero();
    assertThat(printed.out())
        .contains(
            value.substring(value.lastIndexOf('.', value.indexOf('=')) + 1, value.indexOf('=')));
  }

  /// The notes are what users copy from.
  @Test
  void notesTellHowToCallIt() {
    HelmChart.Printed printed =
        HelmChart.helm(
            "install", "mine", ApiServer.CHART.toString(), "-n", "models", "--dry-run=client");
    assertThat(printed.out())
        .contains(
            "kubectl get secret -n models mine-access -o jsonpath='{.data.api-key}'",
            "service/mine 8080:80",
            "http://127.0.0.1:8080/v1/chat/completions");
  }

  @ParameterizedTest
  @CsvSource({"namespace, false", "cluster, true"})
  void notesTellHowFunctionsOfOtherNamespacesAreCalled(String scope, boolean told) {
    HelmChart.Printed printed =
        HelmChart.helm(
            "install",
            "mine",
            ApiServer.CHART.toString(),
            "--dry-run=client",
            "--set",
            "scope=" + scope);
    assertThat(printed.out().contains("NAME.NAMESPACE")).isEqualTo(told);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "gateway.replicas=1 | and lost with its pod",
        "controller.persistence.enabled=true | in a volume; it is for one",
        "externalDatabase.host=db,externalDatabase.existingSecret=s | are in PostgreSQL at db.",
      })
  void notesTellWhereInvocationsAre(String values, String told) {
    HelmChart.Printed printed =
        HelmChart.helm(
            "install", "mine", ApiServer.CHART.toString(), "--dry-run=client", "--set", values);
    assertThat(printed.out()).contains(told);
  }

  /// The README's table has a row for every value, or for what it is part of, and for nothing else.
  @Test
  void readmeTellsEveryValue() throws IOException {
    JsonNode values = YAML.readTree(ApiServer.CHART.resolve("values.yaml").toFile());
    String readme = Files.readString(ApiServer.CHART.resolve("README.md"));
    List<String> rows =
        Pattern.compile(
                "^\\| ([a-zA-Z_.]+) \\| (?:bool|int|string|list|object) ", Pattern.MULTILINE)
            .matcher(readme)
            .results()
            .map(row -> row.group(1))
            .toList();
    assertThat(rows).doesNotHaveDuplicates();
    for (String row : rows) {
      assertThat(values.at("/" + row.replace('.', '/')).isMissingNode()).as(row).isFalse();
    }
    assertTold("", values, rows);
  }

  private static void assertTold(String path, JsonNode value, List<String> rows) {
    if (rows.contains(path)) {
      return;
    }
    assertThat(value.isObject() && !value.isEmpty()).as("the README lacks " + path).isTrue();
    value
        .properties()
        .forEach(member ->
            assertTold(
                path.isEmpty() ? member.getKey() : path + "." + member.getKey(),
                member.getValue(),
                rows));
  }
}
