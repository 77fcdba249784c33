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
import java.util.Optional;
import java.util.stream.Stream;

/// A release of the chart in a namespace of its own, which lets restricted pods in and no others,
/// with a real model in a volume.
final class Release {
  static final String NAMESPACE = "installation";
  static final Path CHART = Path.of("../helm/weft");

  /// The machine of the tests, as the cluster sees it. Who manages functions is there.
  static final String MACHINE = "198.18.0.1";

  /// Values of one pool with the models.
  static final String ONE_POOL =
      """
      pools:
        cpu:
          resources: {cpu: "1", memory: 3Gi}
          models: [{claim: models}]
      """;

  /// What it is installed with: a node of two processors has room for two gateways, and a third
  /// while they are exchanged.
  private static final String VALUES =
      """
      image: {pullPolicy: Never}
      gateway:
        resources: {requests: {cpu: 200m, memory: 256Mi}}
      controller:
        resources: {requests: {cpu: 150m, memory: 256Mi}}
      networkPolicy:
        controllerFrom: [{ipBlock: {cidr: MACHINE/32}}]
      """
          .replace("MACHINE", MACHINE);

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

  /// Callers of one of its functions.
  static Callers callers(String function) {
    return new Callers("http://" + address("weft"), key(), function);
  }

  /// The same, past the Service: callers of one gateway.
  static Callers callersOfGateway(String function) {
    String address = pods("gateway").getFirst().at("/status/podIP").asText();
    return new Callers("http://%s:8080".formatted(address), key(), function);
  }

  /// Who manages one of its functions, by the API of the controller that leads.
  static Callers manager(String function) {
    return new Callers("http://%s:8080".formatted(address("weft-controller")), key(), function);
  }

  /// Where what is worth keeping goes.
  static Path records() {
    return records;
  }

  /// Installs the chart, or one like it, and waits for the gateways and the controller.
  ///
  /// @param values beside those that all have
  static void install(Path chart, String values, String... options) {
    helm("install", chart, values, options);
  }

  /// Has the release be of the chart as it is, and waits as [#install] does.
  static void upgrade(String values) {
    helm("upgrade", CHART, values);
  }

  private static void helm(String command, Path chart, String values, String... options) {
    List<String> arguments = new ArrayList<>(List.of(command, "weft", chart.toString()));
    arguments.addAll(List.of("-n", NAMESPACE, "-f", "-", "--wait", "--timeout", "5m"));
    arguments.addAll(List.of(options));
    Kubectl.helm(VALUES + values, arguments.toArray(String[]::new));
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
  static List<String> definitions() {
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

  static boolean exists(String object) {
    return attempt("get", object).exit() == 0;
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

  /// The images that its pods run.
  static List<String> images(String component) {
    return pods(component).stream()
        .map(pod -> pod.at("/spec/containers/0/image").asText())
        .distinct()
        .toList();
  }

  static int restarts(String component) {
    return pods(component).stream()
        .mapToInt(pod -> pod.at("/status/containerStatuses/0/restartCount").asInt())
        .sum();
  }

  /// Whether two gateways, so many controllers, of which one leads, and a runtime are ready.
  static boolean complete(int controllers) {
    return ready("gateway").size() == 2
        && ready("controller").size() == controllers
        && ready("runtime").size() == 1
        && leader().isPresent();
  }

  /// The controller that leads, if one does and is ready.
  static Optional<String> leader() {
    return pods("controller").stream()
        .filter(Release::isReady)
        .filter(pod -> pod.at("/metadata/labels/weft.dev~1leader").asText().equals("true"))
        .map(Release::name)
        .findFirst();
  }

  /// What is left in the namespace: neither what every namespace has, nor the volume of the models,
  /// nor events, which pass.
  static List<String> left() {
    String kinds =
        String.join(
            ",",
            Kubectl.succeed("api-resources", "--verbs=list", "--namespaced", "-o", "name")
                .lines()
                .filter(kind -> !kind.startsWith("events"))
                .toList());
    return kubectl("get", kinds, "-o", "name", "--ignore-not-found")
        .lines()
        .filter(object ->
            !List.of(
                    "configmap/kube-root-ca.crt",
                    "serviceaccount/default",
                    "persistentvolumeclaim/models")
                .contains(object))
        .toList();
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
