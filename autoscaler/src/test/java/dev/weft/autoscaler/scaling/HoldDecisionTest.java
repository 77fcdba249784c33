package dev.weft.autoscaler.scaling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.scaling.HoldDecision.Caller;
import dev.weft.autoscaler.scaling.HoldDecision.Expired;
import dev.weft.autoscaler.scaling.HoldDecision.Failed;
import dev.weft.autoscaler.scaling.HoldDecision.Hold;
import dev.weft.autoscaler.scaling.HoldDecision.Load;
import dev.weft.autoscaler.scaling.HoldDecision.TooMany;
import dev.weft.functions.Limits;
import dev.weft.functions.Scaling;
import dev.weft.functions.instance.InstanceStatus.Failure;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class HoldDecisionTest {
  private static final Instant ARRIVAL = Instant.parse("2026-11-22T12:00:00Z");
  private static final Scaling SCALING =
      new Scaling(0, 1, Duration.ofMinutes(5), Duration.ofSeconds(60));
  private static final Limits LIMITS = new Limits(10, 10, null);
  private static final Load LOAD = Load.startedAt(ARRIVAL);

  @Test
  void holdsUpToTheWaitBudget() {
    assertThat(HoldDecision.decide(caller(0), LOAD, ARRIVAL))
        .isEqualTo(new Hold(ARRIVAL.plusSeconds(60)));
    assertThat(HoldDecision.decide(caller(9), LOAD, ARRIVAL.plusMillis(59_999)))
        .isEqualTo(new Hold(ARRIVAL.plusSeconds(60)));
  }

  @Test
  void letsGoWhenTheBudgetIsOver() {
    assertThat(HoldDecision.decide(caller(0), LOAD, ARRIVAL.plusSeconds(60)))
        .isEqualTo(new Expired(Duration.ofSeconds(5), "the function is still loading after 1m"));
  }

  @Test
  void holdsNobodyWithoutABudget() {
    Caller caller =
        new Caller(ARRIVAL, 0, new Scaling(0, 1, Duration.ofMinutes(5), Duration.ZERO), LIMITS);
    assertThat(HoldDecision.decide(caller, LOAD, ARRIVAL)).isInstanceOf(Expired.class);
  }

  @Test
  void takesRetryAfterFromThePaceOfTheLoad() {
    assertThat(HoldDecision.decide(caller(0), loaded(75, 100), ARRIVAL.plusSeconds(60)))
        .isInstanceOfSatisfying(
            Expired.class, e -> assertThat(e.retryAfter()).isEqualTo(Duration.ofSeconds(20)));
    assertThat(HoldDecision.decide(caller(0), loaded(100, 100), ARRIVAL.plusSeconds(60)))
        .isInstanceOfSatisfying(
            Expired.class, e -> assertThat(e.retryAfter()).isEqualTo(Duration.ofSeconds(1)));
    assertThat(HoldDecision.decide(caller(0), loaded(1, 1L << 40), ARRIVAL.plusSeconds(60)))
        .isInstanceOfSatisfying(
            Expired.class, e -> assertThat(e.retryAfter()).isEqualTo(Duration.ofMinutes(5)));
    // A total that is not known yet says nothing.
    assertThat(HoldDecision.decide(caller(0), loaded(75, 0), ARRIVAL.plusSeconds(60)))
        .isInstanceOfSatisfying(
            Expired.class,
            e -> assertThat(e.retryAfter()).isEqualTo(HoldDecision.DEFAULT_RETRY_AFTER));
  }

  @Test
  void refusesWhenTooManyAreHeld() {
    assertThat(HoldDecision.decide(caller(10), LOAD, ARRIVAL))
        .isEqualTo(
            new TooMany(
                Duration.ofSeconds(5),
                "10 requests wait for this function to load, the most that may"));
  }

  @Test
  void doesNotWaitForALoadThatFailedForGood() {
    Failure failure = new Failure("unsupported", "no such family", true);
    assertThat(HoldDecision.decide(caller(0), failed(failure), ARRIVAL))
        .isEqualTo(new Failed(failure));
  }

  @Test
  void waitsForALoadThatMayBeTriedAgain() {
    Failure failure = new Failure("download", "connection reset", false);
    assertThat(HoldDecision.decide(caller(0), failed(failure), ARRIVAL)).isInstanceOf(Hold.class);
  }

  private static Caller caller(int heldBefore) {
    return new Caller(ARRIVAL, heldBefore, SCALING, LIMITS);
  }

  private static Load loaded(long done, long total) {
    return new Load(ARRIVAL, done, total, Optional.empty());
  }

  private static Load failed(Failure failure) {
    return new Load(ARRIVAL, 0, 0, Optional.of(failure));
  }
}
