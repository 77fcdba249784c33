package dev.weft.platform.cluster;

import static java.util.Objects.requireNonNullElse;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.platform.stub.PlatformClient;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// A Kubernetes API of its own: etcd and kube-apiserver on loopback, with no kubelet, scheduler or
/// controllers behind them. Whoever has no binaries skips its tests.
public final class ApiServer implements AutoCloseable {
  static final String VERSION = "1.35.0";
  static final Path CHART = Path.of("../helm/weft");
  private static final Path BINARIES =
      Path.of(
          requireNonNullElse(
              System.getenv("WEFT_KUBERNETES_BIN"),
              System.getProperty("user.home") + "/.cache/weft/kubernetes/" + VERSION + "/bin"));
  private static final String ADMIN = "admin-token";

  private final Path directory;
  private final List<Process> processes = new ArrayList<>();
  private final List<String> tokens = new ArrayList<>();
  private final int port;
  private final int etcdPort;

  private ApiServer(Path directory, List<String> users) throws IOException {
    this.directory = directory;
    this.port = freePort();
    this.etcdPort = freePort();
    tokens.add("%s,admin,admin,system:masters".formatted(ADMIN));
    users.forEach(user -> tokens.add("%1$s-token,%1$s,%1$s".formatted(user)));
  }

  /// A program of the distribution; without it the test is skipped.
  public static Path binary(String name) {
    Path binary = BINARIES.resolve(name);
    Assumptions.assumeTrue(
        Files.isExecutable(binary),
        () -> "%s is not there: 'helm/cluster/build %s' makes it".formatted(binary, name));
    return binary;
  }

  /// Definitions of the Gateway API's; without them the test is skipped.
  static List<Path> definitions() throws IOException {
    Path directory = BINARIES.resolveSibling("definitions");
    Assumptions.assumeTrue(
        Files.isDirectory(directory),
        () -> "%s is not there: 'helm/cluster/definitions' makes it".formatted(directory));
    try (Stream<Path> files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }

  /// Starts one.
  ///
  /// @param users who may log in beside the administrator, with the token `NAME-token`
  public static ApiServer start(Path directory, String... users) throws Exception {
    binary("etcd");
    binary("kube-apiserver");
    Files.createDirectories(directory);
    ApiServer server = new ApiServer(directory, List.of(users));
    Runtime.getRuntime().addShutdownHook(new Thread(server::close));
    server.launchEtcd();
    server.launch();
    server.awaitReady();
    return server;
  }

  private void launchEtcd() throws Exception {
    String url = "http://127.0.0.1:" + etcdPort;
    String peers = "http://127.0.0.1:" + freePort();
    Process etcd =
        run(
            "etcd",
            "--data-dir=" + directory.resolve("etcd"),
            "--listen-client-urls=" + url,
            "--advertise-client-urls=" + url,
            "--listen-peer-urls=" + peers,
            "--initial-advertise-peer-urls=" + peers,
            "--initial-cluster=default=" + peers,
            "--unsafe-no-fsync");
    processes.add(etcd);
  }

  private void launch() throws Exception {
    KeyPair keys = keys();
    Path secret = pem("sa.key", "PRIVATE KEY", keys.getPrivate());
    Path open = pem("sa.pub", "PUBLIC KEY", keys.getPublic());
    Path known = Files.write(directory.resolve("tokens.csv"), tokens);
    Process server =
        run(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:" + etcdPort,
            "--bind-address=127.0.0.1",
            "--secure-port=" + port,
            "--cert-dir=" + directory.resolve("certificates"),
            "--token-auth-file=" + known,
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=" + open,
            "--service-account-signing-key-file=" + secret,
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",
            "--audit-policy-file=" + auditPolicy(),
            "--audit-log-path=" + directory.resolve("audit.jsonl"),
            // There is nobody who would make service accounts for pods.
            "--disable-admission-plugins=ServiceAccount");
    processes.add(server);
  }

  private Path auditPolicy() throws IOException {
    return Files.writeString(
        directory.resolve("audit.yaml"),
        """
        apiVersion: audit.k8s.io/v1
        kind: Policy
        omitStages: [RequestReceived]
        rules: [{level: Metadata}]
        """);
  }

  /// What somebody asked for, as `VERB RESOURCE[/SUBRESOURCE]`, and whether that was always
  /// forbidden: an apiserver that has just started knows no roles yet.
  public Map<String, Boolean> asked(String user) throws IOException {
    return asked(user, _ -> true);
  }

  /// The same of what somebody asked for outside of a namespace: in others, and in all at once.
  public Map<String, Boolean> askedBeyond(String namespace, String user) throws IOException {
    return asked(user, event -> !event.at("/objectRef/namespace").asText().equals(namespace));
  }

  private Map<String, Boolean> asked(String user, Predicate<JsonNode> wanted) throws IOException {
    Map<String, Boolean> asked = new TreeMap<>();
    ObjectMapper json = new ObjectMapper();
    for (String line : Files.readAllLines(directory.resolve("audit.jsonl"))) {
      JsonNode event = json.readTree(line);
      if (event.at("/user/username").asText().equals(user) && wanted.test(event)) {
        String part = event.at("/objectRef/subresource").asText();
        asked.merge(
            "%s %s%s"
                .formatted(
                    event.path("verb").asText(),
                    event.at("/objectRef/resource").asText(),
                    part.isEmpty() ? "" : "/" + part),
            event
                .path("annotations")
                .path("authorization.k8s.io/decision")
                .asText()
                .equals("forbid"),
            Boolean::logicalAnd);
      }
    }
    return asked;
  }

  /// Ends the apiserver, and starts it again on what etcd has.
  ///
  /// @param meanwhile what is done without it
  public void restart(Runnable meanwhile) throws Exception {
    Process server = processes.removeLast();
    server.destroyForcibly().onExit().join();
    meanwhile.run();
    launch();
    awaitReady();
  }

  /// Has Kubernetes' own controllers run, by their names, such as `namespace-controller`.
  public void startControllers(String... names) throws IOException {
    Process controllers =
        run(
            "kube-controller-manager",
            "--kubeconfig=" + kubeconfig("admin"),
            "--controllers=" + String.join(",", names),
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--secure-port=" + freePort(),
            "--cert-dir=" + directory.resolve("certificates"));
    processes.addFirst(controllers);
  }

  private Process run(String program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(binary(program).toString()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(
            ProcessBuilder.Redirect.appendTo(directory.resolve(program + ".log").toFile()))
        .start();
  }

  private void awaitReady() {
    try (KubernetesClient client = client()) {
      PlatformClient.await(() -> {
        if (!processes.stream().allMatch(Process::isAlive)) {
          throw new AssertionError(logs());
        }
        try {
          return "ok".equals(client.raw("/readyz"));
        } catch (KubernetesClientException e) {
          return false;
        }
      });
    }
  }

  private String logs() {
    try (Stream<Path> files = Files.list(directory)) {
      StringBuilder all = new StringBuilder();
      for (Path file : files.filter(each -> each.toString().endsWith(".log")).toList()) {
        List<String> lines = Files.readAllLines(file);
        lines
            .subList(Math.max(0, lines.size() - 20), lines.size())
            .forEach(line -> all.append(line).append('\n'));
      }
      return all.toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String url() {
    return "https://127.0.0.1:" + port;
  }

  /// As the administrator.
  public KubernetesClient client() {
    return client(ADMIN);
  }

  /// As somebody else.
  public KubernetesClient client(String token) {
    return new KubernetesClientBuilder().withConfig(config(token)).build();
  }

  private Config config(String token) {
    return new ConfigBuilder(Config.empty())
        .withMasterUrl(url())
        .withTrustCerts(true)
        .withOauthToken(token)
        .withNamespace("default")
        .withRequestRetryBackoffLimit(0)
        .build();
  }

  /// A configuration file for a process that is to be somebody.
  public Path kubeconfig(String user) throws IOException {
    return Files.writeString(
        directory.resolve(user.replace(':', '_') + ".kubeconfig"),
        """
        apiVersion: v1
        kind: Config
        clusters:
          - name: test
            cluster: {server: '%1$s', insecure-skip-tls-verify: true}
        users:
          - name: '%2$s'
            user: {token: '%2$s-token'}
        contexts:
          - name: test
            context: {cluster: test, user: '%2$s', namespace: default}
        current-context: test
        """
            .formatted(url(), user));
  }

  /// Installs the chart's definitions and waits until they are served.
  public void installDefinitions(KubernetesClient client) throws IOException {
    try (Stream<Path> files = Files.list(CHART.resolve("files/crds"))) {
      for (Path file : files.sorted().toList()) {
        apply(client, Files.readString(file));
      }
    }
  }

  /// Applies every object of a text; what definitions define is served when this returns.
  public static void apply(KubernetesClient client, String yaml) {
    apply(client, "default", yaml);
  }

  /// The same in another namespace.
  public static void apply(KubernetesClient client, String namespace, String yaml) {
    try (InputStream in = new ByteArrayInputStream(yaml.getBytes(StandardCharsets.UTF_8))) {
      for (HasMetadata object : client.load(in).items()) {
        client
            .resource(object)
            .inNamespace(namespace)
            .fieldManager("test")
            .forceConflicts()
            .serverSideApply();
        if (object instanceof CustomResourceDefinition) {
          PlatformClient.await(() -> established(client, object.getMetadata().getName()));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean established(KubernetesClient client, String name) {
    CustomResourceDefinition found =
        client.apiextensions().v1().customResourceDefinitions().withName(name).require();
    return found.getStatus() != null
        && found.getStatus().getConditions() != null
        && found.getStatus().getConditions().stream()
            .anyMatch(condition ->
                condition.getType().equals("Established") && condition.getStatus().equals("True"));
  }

  private Path pem(String name, String label, Key key) throws IOException {
    String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key.getEncoded());
    return Files.writeString(
        directory.resolve(name),
        "-----BEGIN %1$s-----%n%2$s%n-----END %1$s-----%n".formatted(label, body));
  }

  private static KeyPair keys() throws NoSuchAlgorithmException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
    generator.initialize(2_048);
    return generator.generateKeyPair();
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0)) {
      return free.getLocalPort();
    }
  }

  @Override
  public void close() {
    for (Process process : processes.reversed()) {
      process.destroyForcibly().onExit().join();
    }
  }
}
