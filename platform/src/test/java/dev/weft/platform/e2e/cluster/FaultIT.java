package dev.weft.platform.e2e.cluster;

import static dev.weft.platform.e2e.cluster.Release.kubectl;
import static dev.weft.platform.e2e.cluster.Release.ready;
import static dev.weft.platform.e2e.cluster.Release.restarts;
import static dev.weft.platform.e2e.cluster.Release.timed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.platform.e2e.cluster.Callers.Answer;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.ExtendWith;

/// What callers see of failures: two gateways, two controllers and a runtime, each killed while it
/// is called, and the cluster's own programs stopped. Figures are in `target/cluster/faults`.
@Tag("cluster")
@ExtendWith(StepByStep.class)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class FaultIT {
  private static final DeployedFunction SMOLLM2 = new DeployedFunction("smollm2");
  private static final Duration SOON = Duration.ofMinutes(4);

  /// How long the cluster's programs are away.
  private static final Duration API_AWAY = Duration.ofSeconds(20);

  private static final Duration KUBELET_AWAY = Duration.ofMinutes(1);

  private static Callers callers = new Callers("", "", "");

  @BeforeAll
  static void install() throws IOException, InterruptedException {
    Release.prepare("faults");
    try {
      Release.install(Release.CHART, Release.ONE_POOL, "--set", "controller.replicas=2");
      Kubectl.await(SOON, "every pod is ready", FaultIT::complete);
      callers = Release.callers(SMOLLM2.name());
      SMOLLM2.apply("{min: 1, max: 1}", "[]");
      Kubectl.await(SOON, "it is loaded", () -> SMOLLM2.reason("Loaded").equals("InstancesReady"));
      Answer answer = callers.chat("first", 8);
      assertThat(answer.whole()).as(answer.told()).isTrue();
    } catch (AssertionError e) {
      Release.describe("install");
      throw e;
    }
  }

  private static boolean complete() {
    return Release.complete(2);
  }

  @AfterAll
  static void remove() {
    Release.remove();
  }

  /// Kills a pod's process, and waits until there is another and all is as it was.
  private static void kill(String component, String pod) {
    int before = restarts(component);
    long begin = System.nanoTime();
    Node.signal(pod, "SIGKILL");
    Kubectl.await(SOON, component + " is started again", () -> restarts(component) > before);
    Kubectl.await(SOON, "every pod is ready", FaultIT::complete);
    timed("kill -9 of a %s until every pod is ready".formatted(component), begin);
  }

  /// Its connections break; whoever calls again is answered by the other one.
  @Test
  @Order(1)
  void whoCallsAgainIsAnsweredWhenAGatewayIsKilled() {
    List<String> gateways = ready("gateway");
    Load.Report report =
        Load.during(
            callers,
            "kill -9 of one gateway and then the other",
            () -> gateways.forEach(each -> kill("gateway", each)));
    assertThat(report.repeated()).isNotEmpty();
    assertThat(report.failed()).isEmpty();
  }

  @Test
  @Order(2)
  void nobodySeesThatTheLeadingControllerIsKilled() {
    String leader = Release.leader().orElseThrow();
    Load.Report report =
        Load.during(callers, "kill -9 of the leader", () -> kill("controller", leader));
    assertThat(report.repeated()).isEmpty();
  }

  /// There is no other: calls wait for it, and streams go on when it is back.
  @Test
  @Order(3)
  void callsWaitForARuntimeThatIsKilled() {
    String runtime = ready("runtime").getFirst();
    Load.Report report =
        Load.during(callers, "kill -9 of the only runtime", () -> kill("runtime", runtime));
    assertThat(report.repeated()).isEmpty();
  }

  @Test
  @Order(4)
  void callsWaitForARuntimeWhosePodIsDeletedByForce() {
    String runtime = ready("runtime").getFirst();
    Load.Report report =
        Load.during(
            callers,
            "the only runtime's pod deleted by force",
            () -> {
              long begin = System.nanoTime();
              kubectl("delete", "pod", runtime, "--grace-period=0", "--force");
              Kubectl.await(
                  SOON,
                  "another is ready",
                  () -> complete() && !ready("runtime").contains(runtime));
              timed("a runtime's pod deleted by force until another is ready", begin);
            });
    assertThat(report.repeated()).isEmpty();
  }

  @Test
  @Order(5)
  void anotherControllerLeadsAtOnceWhenTheLeaderIsDeleted() {
    String leader = Release.leader().orElseThrow();
    Load.Report report =
        Load.during(
            callers,
            "the leader's pod deleted",
            () -> {
              long begin = System.nanoTime();
              kubectl("delete", "pod", leader, "--wait=false");
              awaitOtherThan(leader);
              timed("the leader's pod deleted until another leads", begin);
              Kubectl.await(SOON, "every pod is ready", FaultIT::complete);
            });
    assertThat(report.repeated()).isEmpty();
  }

  private static void awaitOtherThan(String leader) {
    Kubectl.await(
        SOON,
        "another leads",
        () -> Release.leader().filter(pod -> !pod.equals(leader)).isPresent());
  }

  /// It does not answer, and so does not give up its Lease either. When it goes on it finds that
  /// another leads, and ends.
  @Test
  @Order(6)
  void anotherControllerLeadsWhenTheLeaderHangs() {
    String leader = Release.leader().orElseThrow();
    int before = restarts("controller");
    Load.Report report =
        Load.during(
            callers,
            "the leader hangs",
            () -> {
              long begin = System.nanoTime();
              Node.signal(leader, "SIGSTOP");
              awaitOtherThan(leader);
              timed("the leader hangs until another leads", begin);
              Node.signal(leader, "SIGCONT");
              Kubectl.await(SOON, "it has ended", () -> restarts("controller") > before);
              Kubectl.await(SOON, "every pod is ready", FaultIT::complete);
            });
    assertThat(report.repeated()).isEmpty();
    assertThat(Release.leader()).isNotEqualTo(Optional.of(leader));
  }

  /// Both controllers lose the Lease, which they cannot renew.
  @Test
  @Order(7)
  void nobodySeesThatTheApiServerIsAway() {
    Load.Report report =
        Load.during(
            callers,
            "the API server away for %d s".formatted(API_AWAY.toSeconds()),
            () -> {
              Node.stop("kube-apiserver");
              Load.pause(API_AWAY);
              Node.start("kube-apiserver");
              long begin = System.nanoTime();
              Kubectl.await(
                  SOON,
                  "the API server answers",
                  () -> Kubectl.attempt("", "get", "--raw", "/readyz").exit() == 0);
              Kubectl.await(SOON, "every pod is ready", FaultIT::complete);
              timed("the API server back until every pod is ready and one leads", begin);
            });
    assertThat(report.repeated()).isEmpty();
  }

  /// The node is taken to be lost before the minute is over, and its pods not to be ready. A
  /// Service leads nobody to them then, since there is no other node, but they go on.
  @Test
  @Order(8)
  void aGatewayGoesOnWhenItsNodeIsTakenToBeLost() {
    Callers direct = Release.callersOfGateway(SMOLLM2.name());
    Load.Report report =
        Load.during(
            direct,
            "the kubelet away for %d s".formatted(KUBELET_AWAY.toSeconds()),
            () -> {
              Node.stop("kubelet");
              Load.pause(KUBELET_AWAY);
              Node.start("kubelet");
              long begin = System.nanoTime();
              Kubectl.await(SOON, "every pod is ready", FaultIT::complete);
              timed("the kubelet back until every pod is ready", begin);
            });
    assertThat(report.repeated()).isEmpty();
    // Nobody waits until the node is heard of again.
    assertThat(report.silence()).isLessThan(Duration.ofSeconds(10));
  }
}
