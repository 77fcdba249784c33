package dev.weft.autoscaler.scaling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.scaling.KeepAlive.Loaded;
import dev.weft.autoscaler.scaling.KeepAlive.Plan;
import dev.weft.autoscaler.scaling.KeepAlive.Unload;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.Scaling;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KeepAliveTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final DeviceId CPU_0 = new DeviceId("cpu-0");
  private static final DeviceId CPU_1 = new DeviceId("cpu-1");
  private static final RevisionId OLD = new RevisionId(new FunctionName("mine"), 1);
  private static final RevisionId NEW = new RevisionId(new FunctionName("mine"), 2);
  private static final Scaling FIVE_MINUTES = scaling(0);

  @Test
  void unloadsWhatHasIdledPastItsKeepAlive() {
    Plan plan = KeepAlive.decide(List.of(idle(NEW, CPU_0, 300, FIVE_MINUTES)), NOW);

    assertThat(plan)
        .isEqualTo(
            new Plan(
                List.of(
                    new Unload(
                        CPU_0,
                        NEW,
                        new Why(
                            "idle",
                            "idle for 300s, keep-alive is 5m",
                            Map.of("idleSeconds", 300.0, "keepAliveSeconds", 300.0)))),
                Optional.empty()));
  }

  @Test
  void keepsWhatIsLikelyToBeCalledSoon() {
    assertThat(KeepAlive.decide(List.of(expected(0.6)), NOW).unloads()).isEmpty();
    assertThat(KeepAlive.decide(List.of(expected(0.4)), NOW).unloads()).hasSize(1);
  }

  private static Loaded expected(double soon) {
    return new Loaded(CPU_0, NEW, true, true, false, NOW.minusSeconds(999), FIVE_MINUTES, soon);
  }

  @Test
  void looksAheadAtLeastAsFarToStayAsToCome() {
    assertThat(Foresight.toStay(FIVE_MINUTES)).isEqualTo(Duration.ofMinutes(5));
    Scaling tenSeconds = new Scaling(0, 1, Duration.ofSeconds(10), Duration.ofMinutes(1));
    assertThat(Foresight.toStay(tenSeconds)).isEqualTo(Foresight.toCome(tenSeconds));
    Scaling atOnce = new Scaling(0, 1, Duration.ZERO, Duration.ofMinutes(1));
    assertThat(Foresight.toStay(atOnce)).isZero();
    assertThat(Foresight.toCome(atOnce)).isZero();
  }

  @Test
  void keepsWhatWasUsedALittleLaterAndSaysWhenToLookAgain() {
    Plan plan = KeepAlive.decide(List.of(idle(NEW, CPU_0, 299, FIVE_MINUTES)), NOW);

    assertThat(plan).isEqualTo(new Plan(List.of(), Optional.of(NOW.plusSeconds(1))));
    assertThat(KeepAlive.decide(List.of(idle(NEW, CPU_0, 299, FIVE_MINUTES)), NOW.plusSeconds(1)))
        .satisfies(later -> assertThat(later.unloads()).hasSize(1));
  }

  @Test
  void keepsWhatIsBusy() {
    Loaded busy = new Loaded(CPU_0, NEW, true, true, true, NOW.minusSeconds(9_999), FIVE_MINUTES);
    assertThat(KeepAlive.decide(List.of(busy), NOW))
        .isEqualTo(new Plan(List.of(), Optional.empty()));
  }

  @Test
  void keepsTheMinimumLoadedHoweverLongItIdles() {
    Plan plan =
        KeepAlive.decide(
            List.of(idle(NEW, CPU_0, 9_000, scaling(1)), idle(NEW, CPU_1, 8_000, scaling(1))), NOW);

    assertThat(plan.unloads()).extracting(Unload::device).containsExactly(CPU_0);
  }

  @Test
  void countsOnlyReadyInstancesTowardsTheMinimum() {
    Loaded loading = new Loaded(CPU_1, NEW, true, false, false, NOW, scaling(1));
    assertThat(KeepAlive.decide(List.of(idle(NEW, CPU_0, 9_000, scaling(1)), loading), NOW))
        .isEqualTo(new Plan(List.of(), Optional.empty()));
  }

  @Test
  void unloadsAnOlderRevisionOnceTheNewestIsReady() {
    Loaded older = new Loaded(CPU_0, OLD, false, true, false, NOW, scaling(1));
    Loaded newest = idle(NEW, CPU_0, 0, scaling(1));

    assertThat(KeepAlive.decide(List.of(older), NOW).unloads()).isEmpty();
    assertThat(KeepAlive.decide(List.of(older, newest), NOW).unloads())
        .containsExactly(
            new Unload(CPU_0, OLD, new Why("superseded", "a newer revision is ready")));
  }

  @Test
  void waitsForTheRequestsOfAnOlderRevision() {
    Loaded older = new Loaded(CPU_0, OLD, false, true, true, NOW, FIVE_MINUTES);
    assertThat(KeepAlive.decide(List.of(older, idle(NEW, CPU_0, 0, FIVE_MINUTES)), NOW).unloads())
        .isEmpty();
  }

  @Test
  void keepsTheOlderRevisionWhileTheNewestIsStillLoading() {
    Loaded older = new Loaded(CPU_0, OLD, false, true, false, NOW, FIVE_MINUTES);
    Loaded loading = new Loaded(CPU_0, NEW, true, false, false, NOW, FIVE_MINUTES);
    assertThat(KeepAlive.decide(List.of(older, loading), NOW).unloads()).isEmpty();
  }

  @Test
  void doesNotUnloadWhatIsStillLoading() {
    Loaded loading =
        new Loaded(CPU_0, NEW, true, false, false, NOW.minusSeconds(9_999), FIVE_MINUTES);
    assertThat(KeepAlive.decide(List.of(loading), NOW))
        .isEqualTo(new Plan(List.of(), Optional.empty()));
  }

  @Test
  void looksAgainAtTheEarliestOfSeveralFunctions() {
    RevisionId other = new RevisionId(new FunctionName("other"), 1);
    Plan plan =
        KeepAlive.decide(
            List.of(idle(NEW, CPU_0, 100, FIVE_MINUTES), idle(other, CPU_0, 200, FIVE_MINUTES)),
            NOW);

    assertThat(plan).isEqualTo(new Plan(List.of(), Optional.of(NOW.plusSeconds(100))));
  }

  @Test
  void toleratesAClockThatIsAhead() {
    assertThat(KeepAlive.decide(List.of(idle(NEW, CPU_0, -60, FIVE_MINUTES)), NOW))
        .isEqualTo(new Plan(List.of(), Optional.of(NOW.plusSeconds(360))));
  }

  private static Loaded idle(RevisionId revision, DeviceId device, long seconds, Scaling scaling) {
    return new Loaded(device, revision, true, true, false, NOW.minusSeconds(seconds), scaling);
  }

  private static Scaling scaling(int min) {
    return new Scaling(min, 4, Duration.ofMinutes(5), Duration.ofMinutes(1));
  }
}
