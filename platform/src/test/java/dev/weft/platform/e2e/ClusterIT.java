package dev.weft.platform.e2e;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static dev.weft.platform.stub.PlatformClient.chatStream;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.platform.cluster.ApiServer;
import dev.weft.platform.cluster.HelmChart;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformClient.Reply;
import dev.weft.platform.stub.StubHome;
import dev.weft.platform.stub.StubRuntime;
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
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/// A controller and a gateway in a cluster whose API is real and whose pods are processes of the
/// test: each has no more than the service account that the chart gives it, and the objects are
/// those that the chart makes.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class ClusterIT {
  private static final String CHAT = "/v1/chat/completions";
  private static final String FUNCTIONS = "/apis/weft.dev/v1alpha1/namespaces/default/functions";
  private static final String REVISIONS =
      "/apis/weft.dev/v1alpha1/namespaces/default/functionrevisions";
  private static final String ACCOUNT = "system:serviceaccount:default:weft-";
  private static final String RUNTIME = "weft-cpu-0";
  private static final String SLICE = "weft-runtimes-1";
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir static Path directory;

  private static ApiServer server;
  private static KubernetesClient admin;
  private static PlatformProcess controller;
  private static PlatformProcess gateway;
  private static Process runtime;
  private static int port;

  @BeforeAll
  static void up() throws Exception {
    server = ApiServer.start(directory.resolve("api"), ACCOUNT + "controller", ACCOUNT + "gateway");
    admin = server.client();
    ApiServer.apply(admin, HelmChart.template());
    for (String name : List.of("weft-access", "weft-runtime")) {
      for (var member : admin.secrets().withName(name).require().getData().entrySet()) {
        Files.write(
            directory.resolve(member.getKey()), Base64.getDecoder().decode(member.getValue()));
      }
    }
    port = freePort();
    controller = controller("one", port);
    gateway =
        PlatformProcess.start(
            directory.resolve("gateway"),
            Map.of(
                "role", "gateway",
                "http.port", "0",
                "controller.url", "http://127.0.0.1:" + port,
                "controller.key-file", directory.resolve("gateway-key").toString(),
                "cluster.enabled", "true",
                "cluster.namespace", "default",
                "cluster.runtime-secret-file", directory.resolve("secret").toString()),
            Map.of("kubeconfig", server.kubeconfig(ACCOUNT + "gateway").toString()));
    runtime = runtime();
    await(() -> caller().get("/q/health/ready").status() == 200);
  }

  @AfterAll
  static void down() {
    if (server == null) {
      return;
    }
    for (PlatformProcess process : new PlatformProcess[] {gateway, controller}) {
      if (process != null) {
        process.close();
      }
    }
    if (runtime != null) {
      runtime.destroyForcibly();
    }
    admin.close();
    server.close();
  }

  private static PlatformProcess controller(String name, int port) throws IOException {
    admin
        .pods()
        .inNamespace("default")
        .resource(
            new PodBuilder()
                .withNewMetadata()
                .withName("weft-controller-" + name)
                .endMetadata()
                .withNewSpec()
                .addNewContainer()
                .withName("controller")
                .withImage("weft/platform")
                .endContainer()
                .endSpec()
                .build())
        .create();
    return PlatformProcess.start(
        directory.resolve("controller-" + name),
        Map.ofEntries(
            Map.entry("role", "controller"),
            Map.entry("http.port", String.valueOf(port)),
            Map.entry("cluster.enabled", "true"),
            Map.entry("cluster.namespace", "default"),
            Map.entry("cluster.pod", "weft-controller-" + name),
            Map.entry("cluster.lease", "12s"),
            Map.entry("cluster.status-period", "100ms"),
            Map.entry("cluster.url", "http://weft.default.svc"),
            Map.entry("cluster.pods.cpu-image", "weft/runtime-cpu:test"),
            Map.entry("cluster.pods.service-account", "weft-runtime"),
            Map.entry("cluster.api-key-file", directory.resolve("api-key").toString()),
            Map.entry("cluster.gateway-key-file", directory.resolve("gateway-key").toString()),
            Map.entry("cluster.runtime-secret-file", directory.resolve("secret").toString())),
        Map.of("kubeconfig", server.kubeconfig(ACCOUNT + "controller").toString()));
  }

  /// The stub where a pod would be: on an address that an endpoint may have.
  private static Process runtime() throws Exception {
    Path announcement = directory.resolve("runtime.json");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(List.of("-Xmx128m", "-cp", StubHome.classpath(), StubRuntime.class.getName()));
    command.addAll(List.of("--announce", announcement.toString(), "--device", RUNTIME));
    command.addAll(List.of("--secret-file", directory.resolve("secret").toString()));
    command.addAll(List.of("--host", "0.0.0.0"));
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("runtime.log").toFile())
            .start();
    await(() -> Files.exists(announcement));
    int listens = JSON.readTree(Files.readString(announcement)).path("port").asInt();
    admin
        .discovery()
        .v1()
        .endpointSlices()
        .inNamespace("default")
        .resource(slice(listens))
        .create();
    return process;
  }

  private static EndpointSlice slice(int listens) throws SocketException {
    return new EndpointSliceBuilder()
        .withNewMetadata()
        .withName(SLICE)
        .addToLabels("kubernetes.io/service-name", "weft-runtimes")
        .endMetadata()
        .withAddressType("IPv4")
        .addNewPort()
        .withName("http")
        .withPort(listens)
        .endPort()
        .addNewEndpoint()
        .withAddresses(address())
        .withNewConditions()
        .withReady(true)
        .endConditions()
        .withNewTargetRef()
        .withKind("Pod")
        .withName(RUNTIME)
        .endTargetRef()
        .endEndpoint()
        .build();
  }

  private static String address() throws SocketException {
    Optional<InetAddress> found =
        NetworkInterface.networkInterfaces()
            .flatMap(NetworkInterface::inetAddresses)
            .filter(each -> each instanceof Inet4Address)
            .filter(each -> !each.isLoopbackAddress() && !each.isLinkLocalAddress())
            .findFirst();
    Assumptions.assumeTrue(
        found.isPresent(), "an endpoint must not be on loopback, and there is nothing else here");
    return found.orElseThrow().getHostAddress();
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0)) {
      return free.getLocalPort();
    }
  }

  private static PlatformClient manager() {
    return client(port);
  }

  private static PlatformClient caller() {
    return client(gateway.port());
  }

  private static PlatformClient client(int listens) {
    return new PlatformClient(
        listens, directory.toString(), Installation.read(directory.resolve("api-key")).strip());
  }

  private static String function(String name, String behaviour, String more) {
    return """
    apiVersion: weft.dev/v1alpha1
    kind: Function
    metadata: {name: %s, labels: {team: blue}}
    spec:
      model:
        sources: [{uri: 'file:///stub/%s'}]
    %s
    """
        .formatted(name, behaviour, more);
  }

  private static JsonNode object(String path) {
    try {
      String text = admin.raw(path);
      return text == null ? JSON.createObjectNode() : JSON.readTree(text);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static JsonNode status(String function) {
    return object(FUNCTIONS + "/" + function).path("status");
  }

  private static String ready(String function) {
    JsonNode condition = status(function).at("/conditions/0");
    return condition.path("status").asText() + " " + condition.path("reason").asText();
  }

  private static int call(String function) {
    return caller().post(CHAT, chat(function, "words 2")).status();
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
    assertThat(status.path("devices").toString()).isEqualTo("[\"%s\"]".formatted(RUNTIME));
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
    server.restart(() -> {
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
    URI.create("http://%s:%d/stub/sick".formatted(address(), listens)).toURL().openStream().close();
    await(() -> manager().get("/api/v1/devices").json().path("devices").isEmpty());
    sayReady(true);
    await(() -> call("mine") == 200);
  }

  private static Resource<EndpointSlice> slices() {
    return admin.discovery().v1().endpointSlices().inNamespace("default").withName(SLICE);
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
    try (PlatformProcess second = controller("two", freePort())) {
      assertThat(client(second.port()).get("/api/v1/functions").status()).isEqualTo(503);
      assertThat(leaders()).containsExactly("weft-controller-one");
      controller.kill();
      assertThat(call("mine")).isEqualTo(200);
      await(() -> client(second.port()).get("/api/v1/functions").status() == 200);
      await(() -> leaders().contains("weft-controller-two"));
      ApiServer.apply(admin, function("later", "quick", ""));
      await(() -> status("later").path("activeRevision").asText().equals("later-00001"));
    }
  }

  /// Nobody asked for what the chart's Roles do not grant, and gateways for nothing else.
  @Test
  @Order(14)
  void rolesGrantWhatIsAskedForAndGatewaysAskForNothingElse() throws IOException {
    assertThat(server.asked(ACCOUNT + "controller"))
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
    assertThat(server.asked(ACCOUNT + "gateway"))
        .containsOnlyKeys("list endpointslices", "watch endpointslices")
        .doesNotContainValue(true);
  }

  /// Others take its place, and callers learn by its answers that they are to come to those.
  @Test
  @Order(15)
  void aGatewayThatEndsServesWhoComesAndEndsWhatItStreams() throws IOException {
    PlatformClient caller = caller();
    HttpResponse<InputStream> stream = caller.open(CHAT, chatStream("mine", "words 30 every 100"));
    CompletableFuture<Void> end = CompletableFuture.runAsync(gateway::close);
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
