package dev.weft.platform.e2e;

import static dev.weft.platform.e2e.ClusterPlatform.ACCOUNT;
import static dev.weft.platform.e2e.ClusterPlatform.function;
import static dev.weft.platform.e2e.ClusterPlatform.path;
import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.weft.platform.cluster.ApiServer;
import dev.weft.platform.cluster.HelmChart;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformClient.Reply;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/// One installation, in the namespace `default`, that serves functions of all namespaces with the
/// rights that the chart gives it for that ([ClusterPlatform]).
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class ClusterWideIT {
  private static final String WIDE = "scope=cluster";
  private static final String POOL =
      """
      apiVersion: weft.dev/v1alpha1
      kind: DevicePool
      metadata: {name: own}
      spec: {device: cpu}
      """;

  @TempDir static Path directory;

  private static ClusterPlatform platform;
  private static KubernetesClient admin;

  @BeforeAll
  static void up() throws Exception {
    platform = ClusterPlatform.start(directory, Map.of("cluster.scope", "cluster"), "--set", WIDE);
    admin = platform.admin();
    namespace("team-a");
    namespace("team-b");
  }

  @AfterAll
  static void down() {
    if (platform != null) {
      platform.close();
    }
  }

  private static void namespace(String name) {
    admin
        .namespaces()
        .resource(new NamespaceBuilder().withNewMetadata().withName(name).endMetadata().build())
        .create();
  }

  private static void apply(String namespace, String yaml) {
    ApiServer.apply(admin, namespace, yaml);
  }

  private static int call(String model) {
    return platform.call(model);
  }

  private static List<String> revisionsOfCalls(String function) {
    List<String> revisions = new ArrayList<>();
    platform
        .manager()
        .get("/api/v1/functions/%s/invocations".formatted(function))
        .json()
        .path("invocations")
        .forEach(each -> revisions.add(each.path("revision").asText()));
    return revisions;
  }

  @Test
  @Order(1)
  void functionsOfThreeNamespacesAnswerUnderTheirNames() {
    apply("default", function("mine", "quick", ""));
    apply("team-a", function("mine", "quick", ""));
    apply("team-b", function("mine", "quick", ""));
    for (String name : List.of("mine", "mine.team-a", "mine.team-b")) {
      await(() -> call(name) == 200);
    }
    for (String namespace : List.of("default", "team-a", "team-b")) {
      await(() -> platform.ready(namespace, "mine").equals("True InstancesReady"));
      JsonNode status = platform.status(namespace, "mine");
      assertThat(status.path("activeRevision").asText()).isEqualTo("mine-00001");
      assertThat(status.path("latestRevision").asText()).isEqualTo("mine-00001");
      assertThat(status.at("/traffic/0/revision").asText()).isEqualTo("mine-00001");
      JsonNode revision = platform.object(path(namespace, "functionrevisions") + "/mine-00001");
      assertThat(revision.at("/metadata/ownerReferences/0/name").asText()).isEqualTo("mine");
    }
    await(() -> revisionsOfCalls("mine.team-a").equals(List.of("mine-00001.team-a")));
    assertThat(call("mine.default")).isEqualTo(404);
    assertThat(call("mine.team-none")).isEqualTo(404);
  }

  @Test
  @Order(2)
  void everyAddressTakesTheirNames() {
    PlatformClient caller = platform.caller();
    List<String> models = new ArrayList<>();
    caller
        .get("/v1/models")
        .json()
        .path("data")
        .forEach(each -> models.add(each.path("id").asText()));
    assertThat(models).containsExactly("mine", "mine.team-a", "mine.team-b");
    assertThat(caller.get("/v1/models/mine.team-a").json().path("id").asText())
        .isEqualTo("mine.team-a");
    Reply invoked =
        caller.post(
            "/functions/mine.team-a/invoke",
            "{\"messages\":[{\"role\":\"user\",\"content\":\"words 2\"}]}");
    assertThat(invoked.status()).as(invoked.body()).isEqualTo(200);
    assertThat(invoked.json().path("model").asText()).isEqualTo("mine.team-a");
    assertThat(platform.manager().get("/api/v1/functions/mine.team-a").json().path("name").asText())
        .isEqualTo("mine.team-a");
    JsonNode decisions =
        platform.manager().get("/api/v1/decisions/mine.team-a").json().path("decisions");
    assertThat(decisions.at("/0/function").asText()).isEqualTo("mine.team-a");
    assertThat(caller.get("/metrics").body()).contains("mine.team-a");
  }

  @Test
  @Order(3)
  void anAdaptersBaseIsInItsNamespace() {
    apply("team-a", function("polite", "quick", "  adapterOf: mine"));
    await(() -> call("polite.team-a") == 200);
    assertThat(call("mine.team-a:polite.team-a")).isEqualTo(200);
    assertThat(call("mine:polite.team-a")).isEqualTo(404);
    apply("team-b", function("based", "quick", ""));
    apply("default", function("lost", "quick", "  adapterOf: based"));
    await(() -> platform.ready("default", "lost").equals("False BaseNotFound"));
    admin.raw(path("default", "functions") + "/lost", "DELETE", null);
    admin.raw(path("team-a", "functions") + "/polite", "DELETE", null);
    await(() -> platform.object(path("team-a", "functions") + "/polite").isEmpty());
  }

  @Test
  @Order(4)
  void changesMakeRevisionsOfWhichTenAreKeptAndTrafficRollsBack() {
    int changes = 12;
    for (int i = 2; i <= changes; i++) {
      String newest = "mine-%05d".formatted(i);
      apply("team-b", function("mine", "quick", "  scaling: {max: %d}".formatted(i)));
      await(() -> platform.status("team-b", "mine").path("latestRevision").asText().equals(newest));
    }
    await(() -> platform.object(path("team-b", "functionrevisions") + "/mine-00002").isEmpty());
    assertThat(platform.object(path("team-b", "functionrevisions")).path("items")).hasSize(11);
    assertThat(platform.status("team-a", "mine").path("latestRevision").asText())
        .isEqualTo("mine-00001");
    apply(
        "team-b",
        function(
            "mine", "quick", "  scaling: {max: 12}\n  traffic: [{revision: 5, percent: 100}]"));
    await(() ->
        platform.status("team-b", "mine").path("activeRevision").asText().equals("mine-00005"));
    await(() -> {
      call("mine.team-b");
      return revisionsOfCalls("mine.team-b").getFirst().equals("mine-00005.team-b");
    });
  }

  @Test
  @Order(5)
  void whatHappenedIsToldInTheirNamespace() {
    await(() -> {
      List<String> reasons =
          admin.v1().events().inNamespace("team-a").list().getItems().stream()
              .filter(event -> event.getInvolvedObject().getName().equals("mine"))
              .map(event -> event.getReason())
              .toList();
      return reasons.containsAll(List.of("RevisionCreated", "InstancesReady"));
    });
  }

  @Test
  @Order(6)
  void aKeyMayBeForOneOfThem() {
    Reply made =
        platform
            .manager()
            .post(
                "/api/v1/keys",
                "{\"name\":\"a\",\"scopes\":[\"invoke\"],\"functions\":[\"mine.team-a\"]}");
    assertThat(made.status()).as(made.body()).isLessThan(300);
    PlatformClient caller = platform.caller().withKey(made.json().path("secret").asText());
    String calls = "/v1/chat/completions";
    await(() -> caller.post(calls, chat("mine.team-a", "words 2")).status() == 200);
    assertThat(caller.post(calls, chat("mine", "words 2")).status()).isEqualTo(404);
    assertThat(caller.post(calls, chat("mine.team-b", "words 2")).status()).isEqualTo(404);
  }

  @Test
  @Order(7)
  void theManagementApiChangesItsOwnNamespaceAlone() {
    PlatformClient manager = platform.manager();
    String mine = "/api/v1/functions/mine.team-a";
    for (Reply refused :
        List.of(
            manager.send("DELETE", mine, ""),
            manager.post(mine + "/rollback", "{\"revision\":1}"))) {
      assertThat(refused.status()).as(refused.body()).isEqualTo(409);
      assertThat(refused.error().path("code").asText()).isEqualTo("other_namespace");
      assertThat(refused.error().path("message").asText()).contains("the namespace team-a");
    }
    assertThat(manager.send("DELETE", "/api/v1/functions/none.team-a", "").status()).isEqualTo(404);
    assertThat(manager.deploy("mine.team-a", "quick", "").error().path("code").asText())
        .isEqualTo("invalid_manifest");
    await(() -> manager.deploy("by-api", "quick", "").status() < 300);
    assertThat(platform.object(path("default", "functions") + "/by-api").isEmpty()).isFalse();
    assertThat(manager.send("DELETE", "/api/v1/functions/by-api", "").status()).isLessThan(300);
    assertThat(call("mine.team-a")).isEqualTo(200);
  }

  @Test
  @Order(8)
  void aNamespaceWithAPoolOfItsOwnIsLeftToItsInstallation() {
    apply("team-b", POOL);
    await(() -> call("mine.team-b") == 404);
    apply("team-b", function("mine", "quick", "  scaling: {max: 3}"));
    apply("team-b", function("theirs", "quick", ""));
    // What came after it is done, so these two have been left alone.
    apply("team-a", function("after", "quick", ""));
    await(() -> call("after.team-a") == 200);
    assertThat(platform.status("team-b", "mine").path("latestRevision").asText())
        .isEqualTo("mine-00012");
    assertThat(platform.object(path("team-b", "functions") + "/theirs").at("/metadata/finalizers"))
        .isEmpty();
    assertThat(platform.object(path("team-b", "devicepools") + "/own").path("status")).isEmpty();
    admin.raw(path("team-b", "devicepools") + "/own", "DELETE", null);
    await(() -> call("theirs.team-b") == 200);
    await(() ->
        platform.status("team-b", "mine").path("latestRevision").asText().equals("mine-00013"));
  }

  /// Where a namespace is being deleted nothing can be made, so a function that has no revision
  /// gets none. Nothing of it has been deleted yet but for one function, which waits for its
  /// finalizer. The other has a revision that cannot be read.
  @Test
  @Order(9)
  void aControllerStartsWhereANamespaceIsBeingDeleted() throws IOException {
    namespace("team-c");
    apply("team-c", function("gone", "quick", ""));
    await(() -> call("gone.team-c") == 200);
    platform.controller().kill();
    apply("team-c", function("late", "quick", ""));
    apply(
        "team-c",
        """
        apiVersion: weft.dev/v1alpha1
        kind: FunctionRevision
        metadata: {name: nonsense, labels: {weft.dev/function: late}}
        spec: {function: late, number: 1, template: {model: {sources: [{uri: 'file:/m'}]}}}
        """);
    admin.namespaces().withName("team-c").delete();
    admin.raw(path("team-c", "functions") + "/gone", "DELETE", null);
    assertThat(platform.object(path("team-c", "functions") + "/gone").isEmpty()).isFalse();
    platform.controller().again();
    await(() -> platform.ready("team-c", "late").equals("False Refused"));
    await(() -> platform.object(path("team-c", "functions") + "/gone").isEmpty());
    assertThat(call("mine.team-a")).isEqualTo(200);
    // This is Kubernetes' own, which deletes what is left.
    platform.server().startControllers("namespace-controller");
    awaitGone("team-c");
  }

  @Test
  @Order(10)
  void aNamespaceThatIsDeletedGoes() {
    assertThat(call("mine.team-b")).isEqualTo(200);
    admin.namespaces().withName("team-b").delete();
    awaitGone("team-b");
    await(() -> call("mine.team-b") == 404);
    assertThat(loaded())
        .contains("mine-00001.team-a")
        .noneMatch(revision -> revision.endsWith(".team-b"));
    assertThat(call("mine.team-a")).isEqualTo(200);
  }

  /// Kubernetes' controller looks again after longer and longer pauses.
  private static void awaitGone(String namespace) {
    admin
        .namespaces()
        .withName(namespace)
        .waitUntilCondition(Objects::isNull, 60, TimeUnit.SECONDS);
  }

  private static List<String> loaded() {
    List<String> revisions = new ArrayList<>();
    for (JsonNode device : platform.manager().get("/api/v1/devices").json().path("devices")) {
      for (JsonNode instance : device.at("/status/instances")) {
        if (instance.path("tier").asText().equals("ready")) {
          revisions.add(instance.path("revision").asText());
        }
      }
    }
    return revisions;
  }

  /// Every right in all namespaces is one that was used, and nothing else was asked for there.
  @Test
  @Order(11)
  void theClusterRoleGrantsWhatIsAskedForInOtherNamespaces() throws IOException {
    String yaml =
        HelmChart.template("--set", WIDE, "--show-only", "templates/controller-cluster-role.yaml");
    Set<String> granted = new TreeSet<>();
    for (JsonNode rule : new YAMLMapper().readTree(yaml).path("rules")) {
      for (JsonNode resource : rule.path("resources")) {
        rule.path("verbs").forEach(verb -> granted.add(verb.asText() + " " + resource.asText()));
      }
    }
    Map<String, Boolean> asked = platform.server().askedBeyond("default", ACCOUNT + "controller");
    assertThat(asked.keySet()).containsExactlyInAnyOrderElementsOf(granted);
    assertThat(asked).doesNotContainValue(true);
    assertThat(platform.server().asked(ACCOUNT + "gateway"))
        .containsOnlyKeys("list endpointslices", "watch endpointslices")
        .doesNotContainValue(true);
  }

  @Test
  @Order(12)
  void helmRefusesASecondInstallationForAllNamespaces() throws IOException {
    Path kubeconfig = platform.server().kubeconfig("admin");
    HelmChart.Printed refused =
        HelmChart.install(kubeconfig, "second", "team-a", "--set", WIDE + ",crds.enabled=false");
    assertThat(refused.exit()).isNotZero();
    assertThat(refused.out()).contains("ClusterRole \"weft-functions-of-all-namespaces\"");
    HelmChart.Printed installed =
        HelmChart.install(kubeconfig, "second", "team-a", "--set", "crds.enabled=false");
    assertThat(installed.exit()).as(installed.out()).isZero();
  }
}
