package dev.weft.platform.e2e.cluster;

import static dev.weft.platform.e2e.cluster.Release.ready;
import static dev.weft.platform.e2e.cluster.Release.timed;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.e2e.cluster.Callers.Answer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.ExtendWith;

/// An installation of 500 devices and 2,000 functions, on nodes that are only said to be there.
/// Gateways, controllers and the cluster's programs are real. Figures are in
/// `target/cluster/scale`.
@Tag("cluster")
@ExtendWith(StepByStep.class)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class ScaleIT {
  private static final int NODES = 500;
  private static final int FUNCTIONS = 2_000;
  private static final int CHANGES = 100;
  private static final int CALLS = 200;
  private static final Duration SOON = Duration.ofMinutes(5);

  /// Until what was loaded for calls is let go.
  private static final Duration CALM = Duration.ofSeconds(45);

  private static final Duration AT_REST = Duration.ofMinutes(2);

  private static final String POOL =
      "pools:\n  cpu: null\n  many:\n    device: cpu\n    workload: daemonset\n"
          + ManyNodes.POOL_MEMBERS.indent(4);

  private static Instant since = Instant.MAX;
  private static ManyNodes nodes;
  private static Readiness readiness;

  @BeforeAll
  static void install() throws IOException, InterruptedException {
    since = Instant.now();
    Release.prepare("scale");
    try {
      long begin = System.nanoTime();
      nodes = ManyNodes.make(NODES);
      timed(NODES + " nodes", begin);
      Release.install(Release.CHART, POOL);
      nodes.answer(secret());
      begin = System.nanoTime();
      Kubectl.await(SOON, "the pool has its workload", () -> Release.exists("daemonset/weft-many"));
      Release.kubectl("rollout", "status", "daemonset/weft-many", "--timeout=5m");
      timed(NODES + " pods of runtimes, after the installation", begin);
      readiness = new Readiness();
    } catch (AssertionError e) {
      Release.describe("install");
      throw e;
    }
  }

  private static String secret() {
    String encoded = Release.get("secret", "weft-runtime").at("/data/secret").asText();
    return new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
  }

  @AfterAll
  static void remove() {
    if (readiness != null) {
      readiness.close();
    }
    Release.remove();
    if (nodes != null) {
      nodes.close();
    }
  }

  private static String name(int number) {
    return "function-%04d".formatted(number);
  }

  @Test
  @Order(1)
  void everyDeviceIsFollowed() {
    long begin = System.nanoTime();
    Callers manager = Release.manager("");
    Kubectl.await(
        SOON,
        "the controller knows all devices",
        () -> ready("controller").size() == 1 && readyDevices(manager) == NODES);
    timed("all pods ready until all devices are known", begin);
    tellUsage("with 500 devices");
  }

  private static int readyDevices(Callers manager) {
    int ready = 0;
    for (JsonNode device : manager.get("/api/v1/devices").path("devices")) {
      ready += device.at("/status/phase").asText().equals("ready") ? 1 : 0;
    }
    return ready;
  }

  @Test
  @Order(2)
  void functionsThatAreAppliedAllAtOnceAreReady() throws InterruptedException {
    List<String> names = IntStream.range(0, FUNCTIONS).mapToObj(ScaleIT::name).toList();
    long begin = System.nanoTime();
    readiness.create(names);
    timed("functions are created", begin);
    List<Duration> took = readiness.await(SOON, names);
    timed("2,000 functions at once, until all are ready", begin);
    Release.note("times.txt", "each, from its creation to Ready: " + Readiness.told(took));
    tellUsage("with 2,000 functions");
  }

  @Test
  @Order(3)
  void aChangeIsSeenSoon() {
    List<Duration> took = new ArrayList<>();
    for (int i = 0; i < CHANGES; i++) {
      String name = name(i * (FUNCTIONS / CHANGES));
      readiness.change(name);
      took.addAll(readiness.await(SOON, List.of(name)));
    }
    Release.note("times.txt", "each, from its change to Ready: " + Readiness.told(took));
  }

  @Test
  @Order(4)
  void everyFunctionThatIsCalledIsLoadedAndAnswers() {
    String address = "http://" + Release.address("weft");
    String key = Release.key();
    List<Duration> took = new ArrayList<>();
    for (int i = 0; i < CALLS; i++) {
      String name = name(i * (FUNCTIONS / CALLS) + 1);
      Answer answer = new Callers(address, key, name).chat("cold-" + i, 1);
      assertThat(answer.whole()).as(name + ": " + answer.told()).isTrue();
      took.add(answer.took());
    }
    Release.note("times.txt", "first calls, by stubs that load in 20 ms: " + Readiness.told(took));
  }

  /// Nothing is asked again and again: what is followed is followed by watches.
  @Test
  @Order(5)
  void littleIsDoneAtRest() throws InterruptedException {
    Thread.sleep(CALM);
    Map<String, Usage> before = usage();
    Instant begin = Instant.now();
    Thread.sleep(AT_REST);
    for (String account : List.of("weft-controller", "weft-gateway")) {
      assertThat(requestsPerMinute(account, begin)).as(account).isLessThan(100);
      assertThat(AuditLog.of(account, since).refused()).as(account).isEmpty();
    }
    before.forEach((pod, earlier) -> {
      Usage after = Usage.of(pod);
      double share =
          (double) after.processor().minus(earlier.processor()).toMillis() / AT_REST.toMillis();
      Release.note(
          "rest.txt", "%s: %s, %.3f processors at rest".formatted(pod, after.told(), share));
    });
    assertThat(Release.restarts("controller")).isZero();
    assertThat(Release.restarts("gateway")).isZero();
  }

  private static long requestsPerMinute(String account, Instant since) {
    List<JsonNode> requests = AuditLog.of(account, since).events();
    Map<String, Integer> kinds = new TreeMap<>();
    for (JsonNode request : requests) {
      String resource = request.at("/objectRef/resource").asText();
      kinds.merge(request.path("verb").asText() + " " + resource, 1, Integer::sum);
    }
    long perMinute = requests.size() / AT_REST.toMinutes();
    Release.note(
        "rest.txt", "%s: %d requests a minute, all in all %s".formatted(account, perMinute, kinds));
    return perMinute;
  }

  @Test
  @Order(6)
  void functionsThatAreDeletedAllAtOnceGo() {
    long begin = System.nanoTime();
    Release.kubectl("delete", "fn", "--all", "--wait=false");
    Kubectl.await(SOON, "all are gone", () -> Release.kubectl("get", "fn", "-o", "name").isBlank());
    timed("2,000 functions deleted at once, until all are gone", begin);
  }

  private static Map<String, Usage> usage() {
    Map<String, Usage> usage = new HashMap<>();
    for (String component : List.of("controller", "gateway")) {
      ready(component).forEach(pod -> usage.put(pod, Usage.of(pod)));
    }
    return usage;
  }

  private static void tellUsage(String when) {
    usage()
        .forEach((pod, each) -> Release.note("usage.txt", when + ", " + pod + ": " + each.told()));
  }
}
