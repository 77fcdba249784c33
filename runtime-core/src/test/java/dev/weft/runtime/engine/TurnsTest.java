package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.scheduling.StepChoice.Reason;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TurnsTest {
  private final Turns turns = new Turns();
  private long now;

  private final class Instance implements Work {
    private boolean hasWork = true;
    private boolean underWay;
    private long due;
    private int quota = 1;
    private long longestBeside = 100;
    private final int priority;

    Instance(Duration due) {
      this(due, 1);
    }

    Instance(Duration due, int priority) {
      this.due = due.toNanos();
      this.priority = priority;
      turns.add(this, now);
    }

    @Override
    public boolean hasWork() {
      return hasWork;
    }

    @Override
    public boolean underWay() {
      return underWay;
    }

    @Override
    public long due() {
      return due;
    }

    @Override
    public long longestBeside() {
      return longestBeside;
    }

    @Override
    public int priority() {
      return priority;
    }

    @Override
    public int quota() {
      return quota;
    }

    @Override
    public Optional<InstanceLoad> demand() {
      return Optional.empty();
    }

    @Override
    public void turn() {}

    @Override
    public void fail(Throwable cause) {}

    @Override
    public void end() {}
  }

  private Turns.Turn next() {
    return next(Duration.ZERO);
  }

  private Turns.Turn next(Duration stepTakes) {
    Turns.Turn turn = turns.next(now, false);
    assertThat(turn).isNotNull();
    now += stepTakes.toNanos();
    turns.ended(turn.work(), now);
    return turn;
  }

  private List<Work> order(int steps, Duration stepTakes) {
    List<Work> order = new ArrayList<>();
    for (int i = 0; i < steps; i++) {
      order.add(next(stepTakes).work());
    }
    return order;
  }

  /// Even where all of its requests have ended meanwhile.
  @Test
  void aStepUnderWayIsEndedBeforeAnybodyElseHasATurn() {
    Instance hurried = new Instance(Duration.ofMillis(1));
    Instance patient = new Instance(Duration.ofSeconds(1));
    patient.underWay = true;
    patient.hasWork = false;

    assertThat(next().work()).isEqualTo(patient);

    patient.underWay = false;
    assertThat(next().work()).isEqualTo(hurried);
  }

  @Test
  void theLeastPatientOfTheOthersBoundsAStep() {
    Instance one = new Instance(Duration.ofSeconds(1));
    Instance two = new Instance(Duration.ofSeconds(1));
    Instance three = new Instance(Duration.ofSeconds(1));
    two.longestBeside = 40;

    assertThat(turns.longestBesideOthers(one)).isEqualTo(40);
    assertThat(turns.longestBesideOthers(two)).isEqualTo(100);

    two.hasWork = false;
    assertThat(turns.longestBesideOthers(one)).isEqualTo(100);

    three.hasWork = false;
    assertThat(turns.longestBesideOthers(one)).isEqualTo(PrefillPace.NOBODY_READS);
  }

  @Test
  void whoeverIsInTheGreatestHurryGoesFirst() {
    var later = new Instance(Duration.ofMillis(400));
    var sooner = new Instance(Duration.ofMillis(100));

    Turns.Turn turn = next();

    assertThat(turn.work()).isEqualTo(sooner);
    assertThat(turn.reason()).isEqualTo(Reason.LEAST_HEADROOM);
    assertThat(turn.headroomNanos()).isEqualTo(Duration.ofMillis(100).toNanos());
    sooner.due = Duration.ofSeconds(9).toNanos();
    assertThat(next().work()).isEqualTo(later);
  }

  @Test
  void nobodyInAHurryTakesTurns() {
    var one = new Instance(Duration.ofSeconds(20));
    var two = new Instance(Duration.ofSeconds(10));

    List<Work> order = order(6, Duration.ofMillis(10));

    assertThat(order.subList(0, 2)).containsExactlyInAnyOrder(one, two);
    assertThat(order.subList(2, 6)).isEqualTo(order.subList(0, 4));
  }

  @Test
  void whoIsLateAllTheTimeLetsOthersThroughNowAndThen() {
    var patient = new Instance(Duration.ofHours(1));
    var late = new Instance(Duration.ZERO);

    List<Work> order = order(100, Duration.ofMillis(100));

    assertThat(order.stream().filter(patient::equals).count()).isBetween(3L, 6L);
    assertThat(order).contains(late);
  }

  @Test
  void whatIsLateGetsTimeByItsPriority() {
    var once = new Instance(Duration.ZERO.minusSeconds(9), 1);
    var thrice = new Instance(Duration.ZERO.minusSeconds(1), 3);
    now = 1;

    List<Work> order = order(400, Duration.ofMillis(10));

    assertThat(order.stream().filter(thrice::equals).count()).isBetween(290L, 310L);
    assertThat(order).contains(once);
  }

  @Test
  void whoHadTheDeviceForItselfDoesNotPayForItLater() {
    var alone = new Instance(Duration.ofSeconds(-1));
    assertThat(order(10_000, Duration.ofMillis(10))).containsOnly(alone);
    var newcomer = new Instance(Duration.ofSeconds(-1));

    List<Work> order = order(2_000, Duration.ofMillis(10));

    assertThat(order.subList(1_000, 2_000).stream().filter(alone::equals).count())
        .as("ten seconds later both get their half")
        .isBetween(350L, 510L);
    assertThat(order).contains(newcomer);
  }

  @Test
  void aQuotaIsUsedUpUnlessSomethingCameMeanwhile() {
    var one = new Instance(Duration.ofHours(1));
    var two = new Instance(Duration.ofHours(1));
    one.quota = 3;
    two.quota = 3;

    List<Work> order = order(6, Duration.ofMillis(1));
    assertThat(order.subList(0, 3)).containsOnly(order.getFirst());
    assertThat(order.subList(3, 6)).containsOnly(order.getLast()).doesNotContain(order.getFirst());

    Turns.Turn begun = next();
    Turns.Turn afterNews = turns.next(now, true);
    assertThat(afterNews).isNotNull();
    assertThat(afterNews.work()).isNotEqualTo(begun.work());
  }

  @Test
  void whoHasNothingToDoIsPassedOverAndDoesNotWait() {
    var idle = new Instance(Duration.ofHours(1));
    var busy = new Instance(Duration.ofHours(1));
    idle.hasWork = false;
    assertThat(order(50, Duration.ofMillis(100))).containsOnly(busy);

    idle.hasWork = true;
    busy.due = now;
    Turns.Turn turn = next();

    assertThat(turn.work()).as("it has only just begun to wait").isEqualTo(busy);
    busy.hasWork = false;
    idle.hasWork = false;
    assertThat(turns.next(now, false)).isNull();
  }
}
