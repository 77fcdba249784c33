package dev.weft.platform.e2e.cluster;

import dev.weft.platform.cluster.ApiServer;
import dev.weft.platform.cluster.model.RuntimeWorkload;
import dev.weft.platform.stub.StubHome;
import dev.weft.platform.stub.StubRuntimes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Nodes that are only said to be there, by kwok. Their pods have addresses at which stubs of
/// runtimes answer.
final class ManyNodes implements AutoCloseable {
  /// Where there is nothing else in the cluster's network.
  private static final String POD_NETWORK = "198.18.128.0/18";

  private static final String LABEL = "weft.dev/said-to-be-there";
  private static final Path BEHAVIOUR =
      Path.of("src/test/resources/cluster/kwok.yaml").toAbsolutePath();

  /// Members of a pool that is on these nodes and no others.
  static final String POOL_MEMBERS =
      """
      nodeSelector: {%1$s: "true"}
      tolerations: [{key: %1$s, operator: Exists, effect: NoSchedule}]
      """
          .formatted(LABEL);

  private final List<String> processes = new ArrayList<>();

  /// Makes the nodes, and waits until they are ready.
  static ManyNodes make(int count) {
    ManyNodes nodes = new ManyNodes();
    Node.enter("ip", "route", "replace", "local", POD_NETWORK, "dev", "lo");
    nodes.run(
        "kwok",
        ApiServer.binary("kwok").toString(),
        "--kubeconfig",
        System.getenv("KUBECONFIG"),
        "--config",
        BEHAVIOUR.toString(),
        "--manage-nodes-with-label-selector",
        LABEL + "=true",
        "--node-lease-duration-seconds",
        "40",
        "--cidr",
        POD_NETWORK);
    Kubectl.create(
        IntStream.range(0, count).mapToObj(ManyNodes::node).collect(Collectors.joining("---\n")));
    Kubectl.await(Duration.ofMinutes(2), "all nodes are ready", () -> ready() == count);
    return nodes;
  }

  private static long ready() {
    return Kubectl.succeed("get", "nodes", "-l", LABEL + "=true", "--no-headers")
        .lines()
        .filter(line -> line.contains(" Ready "))
        .count();
  }

  private static String node(int number) {
    return """
    apiVersion: v1
    kind: Node
    metadata:
      name: many-%03d
      labels: {%2$s: "true"}
    spec:
      taints: [{key: %2$s, effect: NoSchedule}]
    """
        .formatted(number, LABEL);
  }

  /// Has stubs answer for the runtimes on these nodes.
  ///
  /// @param secret what callers of runtimes say
  void answer(String secret) throws IOException {
    Path file = Files.writeString(Release.records().resolve("runtime-secret"), secret);
    run(
        "stubs",
        Path.of(System.getProperty("java.home"), "bin/java").toString(),
        "-Xmx256m",
        "-cp",
        StubHome.classpath(),
        StubRuntimes.class.getName(),
        Release.NAMESPACE,
        "app.kubernetes.io/component=runtime",
        String.valueOf(RuntimeWorkload.PORT),
        file.toString());
  }

  /// Runs a program where the node's own are, until these nodes go.
  private void run(String name, String... command) {
    Path log = Release.records().resolve(name + ".log");
    List<String> all = new ArrayList<>();
    all.addAll(List.of("bash", "-c", "setsid \"${@:2}\" >\"$1\" 2>&1 </dev/null & echo $!", name));
    all.add(log.toString());
    all.addAll(List.of(command));
    processes.add(Node.enter(all.toArray(String[]::new)).strip());
  }

  @Override
  public void close() {
    Kubectl.succeed("delete", "nodes", "-l", LABEL + "=true", "--wait=false");
    processes.forEach(each -> Node.enter("kill", each));
    Node.enter("ip", "route", "delete", "local", POD_NETWORK, "dev", "lo");
  }
}
