package dev.weft.platform.e2e.cluster;

import static dev.weft.platform.e2e.cluster.Release.kubectl;
import static dev.weft.platform.e2e.cluster.Release.ready;
import static dev.weft.platform.e2e.cluster.Release.restarts;
import static dev.weft.platform.e2e.cluster.Release.timed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.platform.e2e.cluster.Callers.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.ExtendWith;

/// An installation on a cluster: the chart, the images, a real model. Its times and what failed are
/// in `target/cluster/installation`.
@Tag("cluster")
@ExtendWith(StepByStep.class)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class InstallationIT {
  private static final DeployedFunction SMOLLM2 = new DeployedFunction("smollm2");
  private static final DeployedFunction INVALID = new DeployedFunction("invalid");
  private static final Duration SOON = Duration.ofMinutes(4);
  private static final int CANARY_CALLS = 1_000;

  private static final String POOLS =
      """
      pools:
        cpu:
          resources: {cpu: "1", memory: 3Gi}
          models: [{claim: models}]
        spare:
          device: cpu
          workload: daemonset
          nodeSelector: {weft.dev/no-node: "true"}
      """;

  private static Callers callers = new Callers("", "", "");
  private static Callers manager = new Callers("", "", "");

  @BeforeAll
  static void install() throws IOException, InterruptedException {
    Release.prepare("installation");
    try {
      long begin = System.nanoTime();
      Path earlier = Release.records().resolve("earlier-chart");
      Release.install(EarlierChart.write(Release.CHART, earlier), POOLS);
      timed("helm install until gateways and controller are ready", begin);
      Kubectl.await(SOON, "the pool's runtime is ready", () -> ready("runtime").size() == 1);
      timed("helm install until the runtime is ready", begin);
    } catch (AssertionError e) {
      Release.describe("install");
      throw e;
    }
    callers = new Callers("http://" + Release.address("weft"), Release.key(), SMOLLM2.name());
    manager =
        new Callers(
            "http://%s:8080".formatted(Release.address("weft-controller")),
            Release.key(),
            SMOLLM2.name());
  }

  private static boolean complete() {
    return ready("gateway").size() == 2 && ready("runtime").size() == 1 && Release.led();
  }

  @AfterAll
  static void remove() {
    Release.remove();
  }

  @Test
  @Order(1)
  void everyPodIsAdmittedAndReadyAndWasStartedOnce() {
    Kubectl.await(SOON, "every pod is ready", InstallationIT::complete);
    for (String component : List.of("gateway", "controller", "runtime")) {
      assertThat(restarts(component)).as(component).isZero();
    }
    assertThat(kubectl("get", "events", "--field-selector=reason=FailedCreate", "-o", "name"))
        .isBlank();
  }

  @Test
  @Order(2)
  void theTestOfTheChartPasses() {
    long begin = System.nanoTime();
    Kubectl.helm("", "test", "weft", "-n", Release.NAMESPACE, "--timeout", "2m");
    timed("helm test", begin);
  }

  @Test
  @Order(3)
  void anAppliedFunctionAnswersAChatThroughTheService() {
    long begin = System.nanoTime();
    SMOLLM2.apply("{min: 0, max: 1, keepAlive: 3s}", "[]");
    kubectl("wait", "fn/smollm2", "--for=condition=Ready", "--timeout=60s");
    timed("kubectl apply until the function can be called", begin);
    begin = System.nanoTime();
    Answer answer = callers.chat("first", 8);
    timed("its first call, of 8 tokens", begin);
    assertThat(answer.whole()).as(answer.told()).isTrue();
    assertThat(answer.json().at("/choices/0/message/content").asText()).isNotBlank();
    assertThat(answer.json().at("/usage/completion_tokens").asInt()).isBetween(1, 8);
  }

  @Test
  @Order(4)
  void anIdleFunctionIsScaledToZeroAndItsNextCallLoadsIt() {
    Kubectl.await(
        SOON, "it is scaled to zero", () -> SMOLLM2.reason("Loaded").equals("ScaledToZero"));
    assertThat(SMOLLM2.status().path("instances").asInt()).isZero();
    long begin = System.nanoTime();
    Answer answer = callers.chat("cold", 1);
    timed("a cold call, of one token", begin);
    assertThat(answer.whole()).as(answer.told()).isTrue();
  }

  @Test
  @Order(5)
  void aCanaryGetsItsShareOfCalls() {
    String second = SMOLLM2.revision(2);
    SMOLLM2.apply(
        "{min: 0, max: 1, keepAlive: 10m}",
        "[{revision: 1, percent: 90}, {revision: 2, percent: 10}]");
    Kubectl.await(
        SOON, "two revisions have calls", () -> SMOLLM2.status().path("traffic").size() == 2);
    AtomicInteger before = new AtomicInteger();
    Kubectl.await(
        SOON,
        "the canary is loaded",
        () -> {
          callers.chat("before-" + before.incrementAndGet(), 1);
          return SMOLLM2.revisions(manager, "before-").contains(second);
        });
    // The newest thousand are to be those of the canary alone.
    awaitRecorded("before-", before.get());
    long begin = System.nanoTime();
    for (int i = 0; i < CANARY_CALLS; i++) {
      Answer answer = callers.chat("canary-" + i, 1);
      assertThat(answer.whole()).as(answer.told()).isTrue();
    }
    timed(CANARY_CALLS + " calls of one token, one after the other", begin);
    awaitRecorded("canary-", CANARY_CALLS);
    long share = SMOLLM2.revisions(manager, "canary-").stream().filter(second::equals).count();
    Release.note("calls.txt", "canary: %d of %d calls".formatted(share, CANARY_CALLS));
    // Five standard deviations around a tenth.
    assertThat(share).isBetween(53L, 147L);
  }

  private static void awaitRecorded(String requestIds, int calls) {
    Kubectl.await(
        SOON, "all are recorded", () -> SMOLLM2.revisions(manager, requestIds).size() == calls);
  }

  @Test
  @Order(6)
  void aRollbackGivesAllCallsToTheRevisionOfBefore() {
    SMOLLM2.patch("{\"traffic\":[{\"revision\":1,\"percent\":100}]}");
    Kubectl.await(SOON, "it is rolled back", () -> SMOLLM2.status().path("traffic").size() == 1);
    assertThat(SMOLLM2.status().path("activeRevision").asText()).isEqualTo(SMOLLM2.revision(1));
    assertThat(SMOLLM2.status().path("latestRevision").asText()).isEqualTo(SMOLLM2.revision(2));
    for (int i = 0; i < 50; i++) {
      Answer answer = callers.chat("rolled-back-" + i, 1);
      assertThat(answer.whole()).as(answer.told()).isTrue();
    }
    awaitRecorded("rolled-back-", 50);
    assertThat(SMOLLM2.revisions(manager, "rolled-back-")).containsOnly(SMOLLM2.revision(1));
  }

  /// Definitions of before, without rules and one member less, hold functions that nobody may write
  /// today: they are told that they cannot be run, and harm nobody.
  @Test
  @Order(7)
  void aFunctionThatEarlierDefinitionsTookIsToldThatItCannotBeRun() {
    INVALID.apply("{min: 3, max: 2}", "[]");
    Kubectl.await(
        SOON, "it cannot be run", () -> INVALID.reason("SpecAccepted").equals("InvalidSpec"));
    String member = "  %s: {priority: 2}\n".formatted(EarlierChart.NEW_MEMBER);
    assertThat(
            Kubectl.attempt(
                    SMOLLM2.manifest("{min: 0}") + member,
                    "apply",
                    "-n",
                    Release.NAMESPACE,
                    "--dry-run=server",
                    "-f",
                    "-")
                .err())
        .contains("unknown field \"spec.%s\"".formatted(EarlierChart.NEW_MEMBER));
  }
}
