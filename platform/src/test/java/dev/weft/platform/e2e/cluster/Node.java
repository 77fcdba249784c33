package dev.weft.platform.e2e.cluster;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The one node of the cluster, and what may happen to it: its programs stop, processes are killed.
final class Node {
  private static final String CLUSTER =
      Path.of("../helm/cluster/cluster").toAbsolutePath().normalize().toString();

  /// The names that images have in containerd begin so, where no registry is named.
  private static final String REGISTRY = "docker.io/";

  private Node() {}

  /// Where its programs write what they log.
  static Path logs() {
    String home = System.getenv("WEFT_HOME");
    return (home == null ? Path.of(System.getProperty("user.home"), ".weft") : Path.of(home))
        .resolve("cluster/log");
  }

  /// Stops one of the programs that `./weft cluster status` lists.
  static void stop(String program) {
    Kubectl.command(CLUSTER, "stop", program);
  }

  static void start(String program) {
    Kubectl.command(CLUSTER, "start", program);
  }

  /// Sends the first process of a pod's container a signal, such as `SIGKILL`.
  static void signal(String pod, String signal) {
    String container =
        Release.get("pod", pod).at("/status/containerStatuses/0/containerID").asText();
    containerd("tasks", "kill", "--signal", signal, container.replace("containerd://", ""));
  }

  /// Gives an image a second tag.
  static void tag(String repository, String tag, String second) {
    String name = REGISTRY + repository + ":";
    containerd("images", "tag", "--force", name + tag, name + second);
  }

  private static String containerd(String... arguments) {
    List<String> command = new ArrayList<>(List.of("ctr", "--namespace", "k8s.io"));
    command.addAll(List.of(arguments));
    return enter(command.toArray(String[]::new));
  }

  /// The first process of a container, as the node's processes are numbered.
  static String process(String container) {
    return containerd("tasks", "list")
        .lines()
        .map(line -> line.split("\\s+", -1))
        .filter(task -> task[0].equals(container))
        .map(task -> task[1])
        .findFirst()
        .orElseThrow();
  }

  /// Runs a command where the node's processes and network are, and returns what it printed.
  static String enter(String... command) {
    List<String> all = new ArrayList<>(List.of("enter"));
    all.addAll(List.of(command));
    return Kubectl.command(CLUSTER, all.toArray(String[]::new));
  }
}
