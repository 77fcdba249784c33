package dev.weft.platform.e2e.cluster;

import static dev.weft.platform.e2e.cluster.Release.kubectl;
import static dev.weft.platform.e2e.cluster.Release.ready;
import static dev.weft.platform.e2e.cluster.Release.restarts;
import static dev.weft.platform.e2e.cluster.Release.timed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.platform.cluster.model.RevisionPlan;
import dev.weft.platform.e2e.cluster.Callers.Answer;
import dev.weft.platform.e2e.cluster.Connections.Connection;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
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
      Release.ONE_POOL
          + """
            spare:
              device: cpu
              workload: daemonset
              nodeSelector: {weft.dev/no-node: "true"}
          """;

  private static Callers callers = new Callers("", "", "");
  private static Callers manager = new Callers("", "", "");
  private static Instant since = Instant.MAX;

  @BeforeAll
  static void install() throws IOException, InterruptedException {
    since = Instant.now();
    Release.prepare("installation");
    for (String image : List.of("weft/platform", "weft/runtime-cpu")) {
      Node.tag(image, System.getProperty("weft.version", ""), EarlierChart.TAG);
    }
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
    callers = Release.callers(SMOLLM2.name());
    manager = Release.manager(SMOLLM2.name());
  }

  private static boolean complete() {
    return Release.complete(1);
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
    assertThat(refusal(SMOLLM2.manifest("{min: 0}") + member))
        .contains("unknown field \"spec.%s\"".formatted(EarlierChart.NEW_MEMBER));
  }

  /// What the definitions have against a manifest.
  private static String refusal(String manifest) {
    return Kubectl.attempt(
            manifest, "apply", "-n", Release.NAMESPACE, "--dry-run=server", "-f", "-")
        .err();
  }

  /// Everything is exchanged: definitions, gateways, controller, runtime, while there are callers.
  @Test
  @Order(8)
  void anUpgradeCostsNoCall() {
    Load.Report report =
        Load.during(
            callers,
            "helm upgrade",
            () -> {
              long begin = System.nanoTime();
              Release.upgrade(POOLS);
              timed("helm upgrade until gateways and controller are ready", begin);
              Kubectl.await(SOON, "everything is exchanged", InstallationIT::exchanged);
              timed("helm upgrade until everything is exchanged", begin);
            });
    assertThat(report.repeated()).isEmpty();
    assertThat(SMOLLM2.status().path("activeRevision").asText()).isEqualTo(SMOLLM2.revision(1));
  }

  private static boolean exchanged() {
    return complete()
        && List.of("gateway", "controller", "runtime").stream()
            .flatMap(component -> Release.images(component).stream())
            .noneMatch(image -> image.endsWith(":" + EarlierChart.TAG));
  }

  /// Functions that were stored before are kept to today's rules when they are written again.
  @Test
  @Order(9)
  void theDefinitionsAreThoseOfTodayAndHoldWhatThereWas() {
    assertThat(INVALID.reason("SpecAccepted")).isEqualTo("InvalidSpec");
    String member = "  %s: {priority: 2}\n".formatted(EarlierChart.NEW_MEMBER);
    Kubectl.apply(
        SMOLLM2.manifest("{min: 0}") + member, "-n", Release.NAMESPACE, "--dry-run=server");
    assertThat(refusal(new DeployedFunction("another").manifest("{min: 3, max: 2}")))
        .contains("min is more than max");
  }

  /// The management API changes the same objects as kubectl.
  @Test
  @Order(10)
  void theManagementApiDeploysRollsBackAndDeletes() {
    DeployedFunction managed = new DeployedFunction("managed");
    String functions = "/api/v1/functions";
    // One more than are kept.
    for (int i = 1; i <= RevisionPlan.KEPT + 1; i++) {
      manager.manage(
          "POST", functions, managed.manifest("{min: 0, max: 1, keepAlive: %ds}".formatted(i)));
    }
    assertThat(kubectl("get", "fnrev", "-o", "name").lines())
        .filteredOn(name -> name.contains("/managed-"))
        .hasSize(RevisionPlan.KEPT)
        .doesNotContain("functionrevision.weft.dev/" + managed.revision(1));
    manager.manage("POST", functions + "/managed/rollback", "{\"revision\": 3}");
    awaitActive(managed, 3);
    String id =
        manager.manage("POST", "/api/v1/keys", "{\"name\": \"a user\"}").at("/key/id").asText();
    manager.manage("DELETE", "/api/v1/keys/" + id, "");
    manager.manage("DELETE", functions + "/managed", "");
    kubectl("wait", "fn/managed", "--for=delete", "--timeout=60s");
  }

  /// Whoever writes with kubectl is told whose members they change; the management API's user has
  /// said already that the function is to be so.
  @Test
  @Order(11)
  void whoChangesWhatAnotherHasSaidIsToldSo() {
    DeployedFunction shared = new DeployedFunction("shared");
    String mine = shared.manifest("{min: 0, max: 1, keepAlive: 1m}");
    manager.manage("POST", "/api/v1/functions", mine);
    String theirs = shared.manifest("{min: 0, max: 1, keepAlive: 2m}");
    Kubectl.Result refused = applyAsGitOps(theirs);
    assertThat(refused.exit()).isNotZero();
    assertThat(refused.err()).contains("conflict with \"weft-api\"", ".spec.scaling.keepAlive");
    Kubectl.Result forced = applyAsGitOps(theirs, "--force-conflicts");
    assertThat(forced.exit()).as(forced.err()).isZero();
    awaitActive(shared, 2);
    manager.manage("POST", "/api/v1/functions", mine);
    awaitActive(shared, 3);
    assertThat(applyAsGitOps(theirs).err()).contains("conflict with \"weft-api\"");
  }

  private static Kubectl.Result applyAsGitOps(String manifest, String... options) {
    List<String> arguments =
        new ArrayList<>(List.of("apply", "--server-side", "--field-manager=gitops"));
    arguments.addAll(List.of("-n", Release.NAMESPACE, "-f", "-"));
    arguments.addAll(List.of(options));
    return Kubectl.attempt(manifest, arguments.toArray(String[]::new));
  }

  private static void awaitActive(DeployedFunction function, int revision) {
    Kubectl.await(
        SOON,
        "revision %d of %s is active".formatted(revision, function.name()),
        () ->
            function.status().path("activeRevision").asText().equals(function.revision(revision)));
  }

  /// Who had too much could do harm with it, and who has too little does not work.
  @Test
  @Order(12)
  void theRolesGrantWhatIsUsedAndNothingElse() {
    Release.upgrade(Release.ONE_POOL);
    Kubectl.await(
        SOON,
        "the spare pool is gone",
        () -> !kubectl("get", "dp", "-o", "name").contains("spare"));
    for (String role : List.of("weft-gateway", "weft-controller")) {
      AuditLog log = AuditLog.of(role, since);
      assertThat(log.refused()).as(role).isEmpty();
      assertThat(log.used()).as(role).isEqualTo(AuditLog.granted(role));
      Release.note(
          "calls.txt", "%s: %d requests, of %s".formatted(role, log.events().size(), log.used()));
    }
    assertThat(AuditLog.of("weft-runtime", since).events()).isEmpty();
  }

  /// No network here keeps to policies, so this is what one that does would have let pass.
  @Test
  @Order(13)
  void thePoliciesLetPassWhatPodsConnectToAndNothingElse() {
    assertThat(callers.chat("connected", 1).whole()).isTrue();
    NetworkPolicies policies = NetworkPolicies.ofRelease();
    Set<Connection> connections = Connections.ofPods();
    connections.forEach(each -> Release.note("connections.txt", each.toString()));
    assertThat(connections)
        .extracting(Connection::toString)
        .contains(
            Release.MACHINE + " to gateway 8080/TCP",
            Release.MACHINE + " to controller 8080/TCP",
            "gateway to controller 8080/TCP",
            "gateway to runtime 7001/TCP",
            "gateway to node 6443/TCP",
            "controller to runtime 7001/TCP",
            "controller to node 6443/TCP");
    assertThat(connections).allMatch(policies::allow);
    assertThat(connections)
        .filteredOn(each -> each.from().isPod() && each.to().isPod())
        .extracting(Connection::reversed)
        .noneMatch(policies::allow);
  }

  @Test
  @Order(14)
  void whatIsUninstalledIsGoneButForTheDefinitions() {
    List<String> definitions = Release.definitions();
    assertThat(definitions).hasSize(3);
    long begin = System.nanoTime();
    kubectl("delete", "fn", "--all", "--timeout=2m");
    timed("kubectl delete until all functions are gone", begin);
    begin = System.nanoTime();
    Kubectl.helm("", "uninstall", "weft", "-n", Release.NAMESPACE, "--wait");
    Kubectl.await(SOON, "nothing is left", () -> Release.left().isEmpty());
    timed("helm uninstall until nothing is left", begin);
    assertThat(Release.definitions()).isEqualTo(definitions);
    assertThat(
            Kubectl.succeed(
                "get",
                "clusterroles,clusterrolebindings",
                "-l",
                "app.kubernetes.io/name=weft",
                "-o",
                "name"))
        .isBlank();
  }
}
