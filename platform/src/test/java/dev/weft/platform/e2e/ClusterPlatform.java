package dev.weft.platform.e2e;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.platform.cluster.ApiServer;
import dev.weft.platform.cluster.HelmChart;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.StubHome;
import dev.weft.platform.stub.StubRuntime;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSliceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;

/// An installation in the namespace `default` of a cluster whose API is real and whose pods are
/// processes of the test: each has no more than the service account that the chart gives it, and
/// the objects are those that the chart makes.
final class ClusterPlatform implements AutoCloseable {
  static final String ACCOUNT = "system:serviceaccount:default:weft-";
  static final String RUNTIME = "weft-cpu-0";
  static final String SLICE = "weft-runtimes-1";

  /// Of those that RFC 2544 keeps for measurements: no machine has it.
  private static final String ADDRESS = "198.18.255.1";

  private static final String CHAT = "/v1/chat/completions";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final Map<String, String> settings;
  private final List<PlatformProcess> processes = new ArrayList<>();
  private final int port = freePort();
  private final ApiServer server;
  private final KubernetesClient admin;
  private @Nullable PlatformProcess controller;
  private @Nullable PlatformProcess gateway;
  private @Nullable Process runtime;

  private ClusterPlatform(Path directory, Map<String, String> settings) throws Exception {
    this.directory = directory;
    this.settings = settings;
    server = ApiServer.start(directory.resolve("api"), ACCOUNT + "controller", ACCOUNT + "gateway");
    admin = server.client();
  }

  /// Starts one of everything and waits until the gateway is ready.
  ///
  /// @param settings of controllers, beside those that they need
  /// @param options of helm
  static ClusterPlatform start(Path directory, Map<String, String> settings, String... options)
      throws Exception {
    ClusterPlatform started = new ClusterPlatform(directory, settings);
    try {
      started.up(options);
    } catch (Exception | Error e) {
      started.close();
      throw e;
    }
    return started;
  }

  private void up(String... options) throws Exception {
    ApiServer.apply(admin, HelmChart.template(options));
    for (String name : List.of("weft-access", "weft-runtime")) {
      for (var member : admin.secrets().withName(name).require().getData().entrySet()) {
        Files.write(
            directory.resolve(member.getKey()), Base64.getDecoder().decode(member.getValue()));
      }
    }
    controller = controller("one", port);
    gateway =
        started(
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
                Map.of("kubeconfig", server.kubeconfig(ACCOUNT + "gateway").toString())));
    runtime = runtime();
    await(() -> caller().get("/q/health/ready").status() == 200);
  }

  @Override
  public void close() {
    processes.reversed().forEach(PlatformProcess::close);
    if (runtime != null) {
      runtime.destroyForcibly();
    }
    admin.close();
    server.close();
  }

  private PlatformProcess started(PlatformProcess process) {
    processes.add(process);
    return process;
  }

  ApiServer server() {
    return server;
  }

  KubernetesClient admin() {
    return admin;
  }

  PlatformProcess controller() {
    return Objects.requireNonNull(controller);
  }

  PlatformProcess gateway() {
    return Objects.requireNonNull(gateway);
  }

  /// A controller and its pod. Gateways follow the one that listens on [#port].
  PlatformProcess controller(String name, int listens) throws IOException {
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
    Map<String, String> all = new HashMap<>(settings);
    all.putAll(
        Map.ofEntries(
            Map.entry("role", "controller"),
            Map.entry("http.port", String.valueOf(listens)),
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
            Map.entry("cluster.runtime-secret-file", directory.resolve("secret").toString())));
    return started(
        PlatformProcess.start(
            directory.resolve("controller-" + name),
            all,
            Map.of("kubeconfig", server.kubeconfig(ACCOUNT + "controller").toString())));
  }

  /// The stub where a pod would be: on an address that an endpoint may have.
  private Process runtime() throws Exception {
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

  /// Where stubs listen. An endpoint must not be one of 127.0.0.1, so who may gives the loopback
  /// interface another address for as long as the tests run; for others it is the machine's own.
  static String address() {
    if (addresses().noneMatch(ADDRESS::equals) && ip("add") == 0) {
      Runtime.getRuntime().addShutdownHook(new Thread(() -> ip("delete")));
    }
    Optional<String> found =
        addresses().filter(ADDRESS::equals).findFirst().or(() -> addresses().findFirst());
    Assumptions.assumeTrue(
        found.isPresent(), "an endpoint must not be on loopback, and there is nothing else here");
    return found.orElseThrow();
  }

  private static Stream<String> addresses() {
    try {
      return NetworkInterface.networkInterfaces()
          .flatMap(NetworkInterface::inetAddresses)
          .filter(each -> each instanceof Inet4Address)
          .filter(each -> !each.isLoopbackAddress() && !each.isLinkLocalAddress())
          .map(InetAddress::getHostAddress);
    } catch (SocketException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int ip(String verb) {
    try {
      return new ProcessBuilder("ip", "address", verb, ADDRESS + "/32", "dev", "lo")
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start()
          .waitFor();
    } catch (IOException e) {
      return -1;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return -1;
    }
  }

  static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0)) {
      return free.getLocalPort();
    }
  }

  int port() {
    return port;
  }

  PlatformClient manager() {
    return client(port);
  }

  PlatformClient caller() {
    return client(gateway().port());
  }

  PlatformClient client(int listens) {
    return new PlatformClient(
        listens, directory.toString(), Installation.read(directory.resolve("api-key")).strip());
  }

  /// The status of an answer to a call.
  int call(String model) {
    return caller().post(CHAT, chat(model, "words 2")).status();
  }

  /// A function whose model behaves like `behaviour`, with `more` members of its spec.
  static String function(String name, String behaviour, String more) {
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

  /// An object as the cluster has it; empty where it has none.
  JsonNode object(String path) {
    try {
      String text = admin.raw(path);
      return text == null ? JSON.createObjectNode() : JSON.readTree(text);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /// Where objects of a kind of Weft's are.
  ///
  /// @param kind as `functions`
  static String path(String namespace, String kind) {
    return "/apis/weft.dev/v1alpha1/namespaces/%s/%s".formatted(namespace, kind);
  }

  JsonNode status(String namespace, String function) {
    return object(path(namespace, "functions") + "/" + function).path("status");
  }

  /// What a function's status says first: whether it can be called, and why.
  String ready(String namespace, String function) {
    JsonNode condition = status(namespace, function).at("/conditions/0");
    return condition.path("status").asText() + " " + condition.path("reason").asText();
  }
}
