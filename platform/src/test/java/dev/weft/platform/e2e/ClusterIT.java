package dev.weft.platform.e2e;

import static dev.weft.platform.e2e.ClusterPlatform.function;
import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static dev.weft.platform.stub.PlatformClient.chatStream;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.cluster.ApiServer;
import dev.weft.platform.cluster.HelmChart;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformClient.Reply;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSliceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/// A controller and a gateway in a cluster whose API is real ([ClusterPlatform]).
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class ClusterIT {
  private static final String CHAT = "/v1/chat/completions";
  private static final String FUNCTIONS = ClusterPlatform.path("default", "functions");
  private static final String REVISIONS = ClusterPlatform.path("default", "functionrevisions");

  @TempDir static Path directory;

  private static ClusterPlatform platform;
  private static KubernetesClient admin;

  @BeforeAll
  static void up() throws Exception {
    platform = ClusterPlatform.start(directory, Map.of());
    admin = platform.admin();
  }

  @AfterAll
  static void down() {
    if (platform != null) {
      platform.close();
    }
  }

  private static PlatformClient manager() {
    return platform.manager();
  }

  private static PlatformClient caller() {
    return platform.caller();
  }

  private static JsonNode object(String path) {
    return platform.object(path);
  }

  private static JsonNode status(String function) {
    return platform.status("default", function);
  }

  private static String ready(String function) {
    return platform.ready("default", function);
  }

  private static int call(String function) {
    return platform.call(function);
  }

  @Test
  @Order(1)
  void anAppliedFunctionIsARevisionAndAnswers() {
    ApiServer.apply(admin, function("mine", "quick", ""));
    await(() -> ready("mine").equals("True ScaledToZero"));
    await(() -> call("mine") == 200);
    await(() -> ready("mine").equals("True InstancesReady"));
    JsonNode status = status("mine");
    assertThat(status.path("activeRevision").asText()).isEqualTo("mine-00001");
    assertThat(status.path("observedGeneration").asLong()).isEqualTo(1);
    assertThat(status.path("url").asText()).isEqualTo("http://weft.default.svc/v1");
    assertThat(status.path("instances").asInt()).isEqualTo(1);
    assertThat(status.path("devices").toString())
        .isEqualTo("[\"%s\"]".formatted(ClusterPlatform.RUNTIME));
    JsonNode revision = object(REVISIONS + "/mine-00001");
    assertThat(revision.at("/metadata/ownerReferences/0/kind").asText()).isEqualTo("Function");
    assertThat(revision.at("/spec/template/model/sources/0/uri").asText())
        .isEqualTo("file:///stub/quick");
  }

  @Test
  @Order(2)
  void whatHappenedIsToldInEvents() {
    await(() -> {
      List<String> reasons =
          admin.v1().events().inNamespace("default").list().getItems().stream()
              .filter(event -> event.getInvolvedObject().getName().equals("mine"))
              .map(event -> event.getReason())
              .toList();
      return reasons.containsAll(List.of("RevisionCreated", "ScaledToZero", "InstancesReady"));
    });
  }

  @Test
  @Order(3)
  void aChangeMakesARevisionAndTrafficRollsItBack() {
    ApiServer.apply(admin, function("mine", "other", ""));
    await(() -> status("mine").path("activeRevision").asText().equals("mine-00002"));
    String back = "  traffic: [{revision: 1, percent: 100}]";
    ApiServer.apply(admin, function("mine", "other", back));
    await(() -> status("mine").path("activeRevision").asText().equals("mine-00001"));
    assertThat(status("mine").path("latestRevision").asText()).isEqualTo("mine-00002");
    ApiServer.apply(admin, function("mine", "other", back.replace("revision: 1", "revision: 9")));
    await(() -> ready("mine").equals("False TrafficRefused"));
    assertThat(status("mine").path("activeRevision").asText()).isEqualTo("mine-00001");
    assertThat(call("mine")).isEqualTo(200);
  }

  @Test
  @Order(4)
  void aCanaryGetsItsShareOfCalls() {
    ApiServer.apply(
        admin, function("mine", "other", "  traffic: [{revision: 1, percent: 90}, {percent: 10}]"));
    await(() -> status("mine").path("traffic").size() == 2);
    await(() -> {
      call("mine");
      return revisionsOfCalls().contains("mine-00002");
    });
    int before = revisionsOfCalls().size();
    int calls = 500;
    for (int i = 0; i < calls; i++) {
      assertThat(call("mine")).isEqualTo(200);
    }
    await(() -> revisionsOfCalls().size() >= before + calls);
    long canary =
        revisionsOfCalls().subList(0, calls).stream().filter("mine-00002"::equals).count();
    // Five standard deviations around a tenth.
    assertThat(canary).isBetween(17L, 83L);
  }

  /// The newest first.
  private static List<String> revisionsOfCalls() {
    List<String> revisions = new ArrayList<>();
    manager()
        .get("/api/v1/functions/mine/invocations?limit=1000")
        .json()
        .path("invocations")
        .forEach(each -> revisions.add(each.path("revision").asText()));
    return revisions;
  }

  @Test
  @Order(5)
  void aSpecThatCannotBeRunLeavesWhatIsDeployed() {
    ApiServer.apply(admin, function("mine", "other", "  scaling: {keepAlive: P999D}"));
    await(() -> ready("mine").equals("False InvalidSpec"));
    assertThat(status("mine").at("/conditions/0/message").asText())
        .contains("spec.scaling.keepAlive", "is more than 8760h");
    assertThat(call("mine")).isEqualTo(200);
    ApiServer.apply(admin, function("mine", "other", ""));
    await(() -> ready("mine").startsWith("True"));
  }

  @Test
  @Order(6)
  void theManagementApiChangesTheSameObjects() {
    await(() -> manager().deploy("by-api", "quick", "").status() < 300);
    JsonNode object = object(FUNCTIONS + "/by-api");
    assertThat(object.at("/metadata/managedFields").toString()).contains("weft-api");
    assertThat(object(REVISIONS + "/by-api-00001").path("spec").isObject()).isTrue();
    assertThat(manager().deploy("by-api", "other", "").status()).isEqualTo(200);
    Reply back = manager().post("/api/v1/functions/by-api/rollback", "{}");
    assertThat(back.status()).as(back.body()).isEqualTo(200);
    assertThat(object(FUNCTIONS + "/by-api").at("/spec/traffic").toString())
        .isEqualTo("[{\"percent\":100,\"revision\":1}]");
    await(() -> status("by-api").path("activeRevision").asText().equals("by-api-00001"));
  }

  @Test
  @Order(7)
  void aDeletedFunctionIsUnloadedBeforeItGoes() {
    await(() -> call("by-api") == 200);
    assertThat(manager().send("DELETE", "/api/v1/functions/by-api", "").status()).isLessThan(300);
    await(() -> admin.raw(FUNCTIONS + "/by-api") == null);
    assertThat(instances()).noneMatch(revision -> revision.startsWith("by-api"));
    await(() -> call("by-api") == 404);
  }

  private static List<String> instances() {
    List<String> revisions = new ArrayList<>();
    for (JsonNode device : manager().get("/api/v1/devices").json().path("devices")) {
      for (JsonNode instance : device.at("/status/instances")) {
        if (instance.path("tier").asText().equals("ready")) {
          revisions.add(instance.path("revision").asText());
        }
      }
    }
    return revisions;
  }

  @Test
  @Order(8)
  void keysAreKeptAsHashesAndWorkAtGateways() {
    Reply made = manager().post("/api/v1/keys", "{\"name\":\"caller\",\"scopes\":[\"invoke\"]}");
    assertThat(made.status()).as(made.body()).isLessThan(300);
    String secret = made.json().path("secret").asText();
    String kept = admin.secrets().withName("weft-keys").require().getData().toString();
    String decoded =
        new String(
            Base64.getDecoder().decode(kept.replaceFirst("^\\{[^=]+=", "").replaceFirst("}$", "")),
            StandardCharsets.UTF_8);
    assertThat(decoded).contains("\"name\":\"caller\"").doesNotContain(secret);
    await(() -> caller().withKey(secret).post(CHAT, chat("mine", "words 2")).status() == 200);
    assertThat(manager().send("DELETE", "/api/v1/keys/key_api", "").status()).isEqualTo(409);
  }

  @Test
  @Order(9)
  void aPoolIsADeploymentWhosePodsAreAdmittedAsRestricted() {
    await(() -> admin.apps().deployments().withName("weft-cpu").get() != null);
    Deployment deployment = admin.apps().deployments().withName("weft-cpu").require();
    assertThat(deployment.getMetadata().getOwnerReferences().getFirst().getKind())
        .isEqualTo("DevicePool");
    admin
        .namespaces()
        .resource(
            new NamespaceBuilder()
                .withNewMetadata()
                .withName("restricted")
                .addToLabels("pod-security.kubernetes.io/enforce", "restricted")
                .endMetadata()
                .build())
        .create();
    PodTemplateSpec template = deployment.getSpec().getTemplate();
    admin
        .pods()
        .inNamespace("restricted")
        .resource(
            new PodBuilder()
                .withNewMetadata()
                .withName("runtime")
                .endMetadata()
                .withSpec(template.getSpec())
                .build())
        .create();
    GenericKubernetesResource pool =
        admin.genericKubernetesResources("weft.dev/v1alpha1", "DevicePool").withName("cpu").get();
    assertThat(pool).isNotNull();
    await(() -> pool("cpu").at("/status/conditions/0/reason").asText().equals("AllReady"));
  }

  @Test
  @Order(10)
  void poolsOfTheValuesAreMadeAndDeletedAndThoseThatWereScaledStaySo() {
    values("pools.more.device=cpu", "pools.more.workload=deployment");
    await(() -> pool("more").at("/spec/workload").asText().equals("deployment"));
    ApiServer.apply(
        admin,
        """
        apiVersion: weft.dev/v1alpha1
        kind: DevicePool
        metadata: {name: more}
        spec: {device: cpu, replicas: 3}
        """);
    values("pools.more.device=cpu", "pools.more.workload=deployment", "pools.other.device=cpu");
    await(() -> pool("other").path("spec").isObject());
    assertThat(pool("more").at("/spec/replicas").asInt()).isEqualTo(3);
    values("pools.more.device=cpu", "pools.more.workload=deployment", "pools.more.replicas=2");
    await(() -> pool("other").isEmpty() && pool("more").at("/spec/replicas").asInt() == 2);
    values();
    await(() -> pool("more").isEmpty());
    assertThat(pool("cpu").at("/metadata/ownerReferences/0/name").asText()).isEqualTo("weft-keys");
  }

  /// Has the values say something else of pools.
  private static void values(String... settings) {
    List<String> options = new ArrayList<>(List.of("--show-only", "templates/pools.yaml"));
    for (String setting : settings) {
      options.addAll(List.of("--set", setting));
    }
    ApiServer.apply(admin, HelmChart.template(options.toArray(String[]::new)));
  }

  private static JsonNode pool(String name) {
    return object("/apis/weft.dev/v1alpha1/namespaces/default/devicepools/" + name);
  }

  @Test
  @Order(11)
  void callsGoOnWithoutTheApiserverAndWhatComesAfterIsSeen() throws Exception {
    await(() -> call("mine") == 200);
    platform
        .server()
        .restart(() -> {
          for (int i = 0; i < 20; i++) {
            assertThat(call("mine")).isEqualTo(200);
          }
        });
    ApiServer.apply(admin, function("after", "quick", ""));
    await(() -> call("after") == 200);
  }

  /// It is the kubelet who says that a pod is not ready, and the kubelet may be away.
  @Test
  @Order(12)
  void aRuntimeThatIsSaidNotToBeReadyIsAskedItself() throws IOException {
    sayReady(false);
    for (int i = 0; i < 50; i++) {
      assertThat(call("mine")).isEqualTo(200);
    }
    int listens = slices().require().getPorts().getFirst().getPort();
    URI.create("http://%s:%d/stub/sick".formatted(ClusterPlatform.address(), listens))
        .toURL()
        .openStream()
        .close();
    await(() -> manager().get("/api/v1/devices").json().path("devices").isEmpty());
    sayReady(true);
    await(() -> call("mine") == 200);
  }

  private static Resource<EndpointSlice> slices() {
    return admin
        .discovery()
        .v1()
        .endpointSlices()
        .inNamespace("default")
        .withName(ClusterPlatform.SLICE);
  }

  private static void sayReady(boolean ready) {
    slices()
        .edit(slice ->
            new EndpointSliceBuilder(slice)
                .editFirstEndpoint()
                .editConditions()
                .withReady(ready)
                .endConditions()
                .endEndpoint()
                .build());
  }

  @Test
  @Order(13)
  void anotherControllerLeadsWhenTheFirstIsKilled() throws Exception {
    try (PlatformProcess second = platform.controller("two", ClusterPlatform.freePort())) {
      assertThat(platform.client(second.port()).get("/api/v1/functions").status()).isEqualTo(503);
      assertThat(leaders()).containsExactly("weft-controller-one");
      platform.controller().kill();
      assertThat(call("mine")).isEqualTo(200);
      await(() -> platform.client(second.port()).get("/api/v1/functions").status() == 200);
      await(() -> leaders().contains("weft-controller-two"));
      ApiServer.apply(admin, function("later", "quick", ""));
      await(() -> status("later").path("activeRevision").asText().equals("later-00001"));
    }
  }

  /// Nobody asked for what the chart's Roles do not grant, and gateways for nothing else.
  @Test
  @Order(14)
  void rolesGrantWhatIsAskedForAndGatewaysAskForNothingElse() throws IOException {
    assertThat(platform.server().asked(ClusterPlatform.ACCOUNT + "controller"))
        .containsKeys(
            "patch functions",
            "patch functions/status",
            "create functionrevisions",
            "patch devicepools",
            "delete devicepools",
            "patch devicepools/status",
            "watch configmaps",
            "watch endpointslices",
            "patch secrets",
            "create events",
            "patch pods")
        .doesNotContainValue(true);
    assertThat(platform.server().asked(ClusterPlatform.ACCOUNT + "gateway"))
        .containsOnlyKeys("list endpointslices", "watch endpointslices")
        .doesNotContainValue(true);
  }

  /// Others take its place, and callers learn by its answers that they are to come to those.
  @Test
  @Order(15)
  void aGatewayThatEndsServesWhoComesAndEndsWhatItStreams() throws IOException {
    PlatformClient caller = caller();
    HttpResponse<InputStream> stream = caller.open(CHAT, chatStream("mine", "words 30 every 100"));
    CompletableFuture<Void> end = CompletableFuture.runAsync(platform.gateway()::close);
    await(() -> caller.get("/q/health/ready").status() == 503);
    for (int i = 0; i < 20; i++) {
      Reply reply = caller.post(CHAT, chat("mine", "words 2"));
      assertThat(reply.status()).as(reply.body()).isEqualTo(200);
      assertThat(reply.raw().headers().allValues("connection")).containsExactly("close");
    }
    try (InputStream body = stream.body()) {
      assertThat(new String(body.readAllBytes(), StandardCharsets.UTF_8))
          .contains("w29")
          .contains("data: [DONE]");
    }
    end.join();
  }

  private static List<String> leaders() {
    return admin
        .pods()
        .inNamespace("default")
        .withLabel("weft.dev/leader", "true")
        .list()
        .getItems()
        .stream()
        .map(pod -> pod.getMetadata().getName())
        .toList();
  }
}
