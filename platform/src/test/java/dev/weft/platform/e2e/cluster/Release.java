package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;

/// A release of the chart in a namespace of its own, which lets restricted pods in and no others,
/// with a real model in a volume.
final class Release {
  static final String NAMESPACE = "installation";
  static final Path CHART = Path.of("../helm/weft");

  /// What it is installed with: a node of two processors has room for two gateways, and a third
  /// while they are exchanged.
  private static final String VALUES =
      """
      image: {pullPolicy: Never}
      gateway:
        resources: {requests: {cpu: 200m, memory: 256Mi}}
      controller:
        resources: {requests: {cpu: 150m, memory: 256Mi}}
      """;

  private static Path records = Path.of("target/cluster");

  private Release() {}

  /// Makes the namespace and the volume.
  ///
  /// @param name where the records of it go, below `target/cluster`
  static void prepare(String name) throws IOException, InterruptedException {
    records = Files.createDirectories(Path.of("target/cluster").resolve(name).toAbsolutePath());
    try (Stream<Path> earlier = Files.list(records)) {
      for (Path file : earlier.filter(Files::isRegularFile).toList()) {
        Files.delete(file);
      }
    }
    ModelFiles.provide(NAMESPACE);
  }

  /// Where what is worth keeping goes.
  static Path records() {
    return records;
  }

  /// Installs the chart, or one like it, and waits for the gateways and the controller.
  ///
  /// @param values beside those that all have
  static void install(Path chart, String values) {
    Kubectl.helm(
        VALUES + values,
        "install",
        "weft",
        chart.toString(),
        "-n",
        NAMESPACE,
        "-f",
        "-",
        "--wait",
        "--timeout",
        "5m");
  }

  /// Takes everything away that was made, also after a failure, when nobody may be left who would
  /// let go of functions.
  static void remove() {
    List<String> functions = functions();
    if (!functions.isEmpty()) {
      attempt("delete", "fn", "--all", "--wait=false");
      List<String> free = new ArrayList<>(List.of("patch"));
      free.addAll(functions);
      free.addAll(List.of("--type=merge", "-p", "{\"metadata\":{\"finalizers\":null}}"));
      attempt(free.toArray(String[]::new));
    }
    Kubectl.run("helm", "", "uninstall", "weft", "-n", NAMESPACE, "--ignore-not-found");
    Kubectl.succeed("delete", "namespace/" + NAMESPACE, "--ignore-not-found");
    Kubectl.succeed("delete", "persistentvolume/" + NAMESPACE, "--ignore-not-found");
    List<String> definitions = definitions();
    if (!definitions.isEmpty()) {
      definitions.addFirst("delete");
      Kubectl.succeed(definitions.toArray(String[]::new));
    }
  }

  private static List<String> functions() {
    return definitions().isEmpty()
        ? List.of()
        : kubectl("get", "fn", "-o", "name").lines().toList();
  }

  /// The kinds of objects that are Weft's, as far as the cluster knows them.
  private static List<String> definitions() {
    return new ArrayList<>(
        Kubectl.succeed("get", "customresourcedefinitions", "-o", "name")
            .lines()
            .filter(name -> name.endsWith(".weft.dev"))
            .toList());
  }

  static String kubectl(String... arguments) {
    return Kubectl.succeed(inNamespace(arguments));
  }

  private static Kubectl.Result attempt(String... arguments) {
    return Kubectl.attempt("", inNamespace(arguments));
  }

  static JsonNode get(String... arguments) {
    return Kubectl.get(inNamespace(arguments));
  }

  private static String[] inNamespace(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(List.of("-n", NAMESPACE));
    return all.toArray(String[]::new);
  }

  /// The key that the installation is used with, read as its notes say.
  static String key() {
    return new String(
        Base64.getDecoder().decode(get("secret", "weft-access").at("/data/api-key").asText()),
        StandardCharsets.UTF_8);
  }

  static String address(String service) {
    return get("service", service).at("/spec/clusterIP").asText();
  }

  private static List<JsonNode> pods(String component) {
    List<JsonNode> pods = new ArrayList<>();
    get("pods", "-l", "app.kubernetes.io/component=" + component).path("items").forEach(pods::add);
    return pods;
  }

  private static String name(JsonNode object) {
    return object.at("/metadata/name").asText();
  }

  /// The names of those that are ready and not about to end.
  static List<String> ready(String component) {
    return pods(component).stream()
        .filter(pod -> pod.at("/metadata/deletionTimestamp").isMissingNode())
        .filter(Release::isReady)
        .map(Release::name)
        .toList();
  }

  private static boolean isReady(JsonNode pod) {
    for (JsonNode condition : pod.at("/status/conditions")) {
      if (condition.path("type").asText().equals("Ready")) {
        return condition.path("status").asText().equals("True");
      }
    }
    return false;
  }

  static int restarts(String component) {
    return pods(component).stream()
        .mapToInt(pod -> pod.at("/status/containerStatuses/0/restartCount").asInt())
        .sum();
  }

  /// Whether a controller leads.
  static boolean led() {
    return ready("controller").size() == 1
        && pods("controller").stream()
            .anyMatch(pod -> pod.at("/metadata/labels/weft.dev~1leader").asText().equals("true"));
  }

  /// Notes how long something took.
  static void timed(String what, long begin) {
    double seconds = Duration.ofNanos(System.nanoTime() - begin).toMillis() / 1e3;
    note("times.txt", "%s: %.1f s".formatted(what, seconds));
  }

  static void note(String file, String line) {
    System.out.println("installation: " + line);
    try {
      Files.writeString(
          records.resolve(file), line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Writes down what a failed test leaves behind.
  static void describe(String failed) {
    note("failures.txt", failed);
    for (String[] question :
        new String[][] {
          {"get", "all,dp,fn,fnrev,leases,endpointslices,events", "-o", "wide"},
          {"describe", "pods,dp,fn"},
          {"logs", "-l", "app.kubernetes.io/component=gateway", "--tail=-1", "--prefix"},
          {"logs", "-l", "app.kubernetes.io/component=controller", "--tail=-1", "--prefix"},
          {"logs", "-l", "app.kubernetes.io/component=runtime", "--tail=-1", "--prefix"},
        }) {
      Kubectl.Result told = attempt(question);
      note(failed + ".txt", String.join(" ", question) + "\n" + told.out() + told.err());
    }
  }
}
