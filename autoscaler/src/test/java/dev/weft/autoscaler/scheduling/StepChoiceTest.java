package dev.weft.autoscaler.scheduling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.scheduling.StepChoice.Idle;
import dev.weft.autoscaler.scheduling.StepChoice.Reason;
import dev.weft.autoscaler.scheduling.StepChoice.Rules;
import dev.weft.autoscaler.scheduling.StepChoice.Step;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class StepChoiceTest {
  private static final Rules RULES = new Rules(StepChoice.Order.HEADROOM, 1_000, 100);

  @Test
  void nobodyRunsWhenNobodyCan() {
    assertThat(decide(0)).isEqualTo(Idle.IDLE);
    assertThat(decide(0, new Instance("a", 5, 0).unable())).isEqualTo(Idle.IDLE);
  }

  @Test
  void inAHurryTheTokenThatIsDueFirstGoesFirst() {
    Instance late = new Instance("late", -20, 0);
    Step step = step(0, new Instance("soon", 50, 0).prompt(), late, new Instance("far", 900, -9));
    assertThat(step).isEqualTo(new Step(late, 1, Reason.LEAST_HEADROOM, -20));
  }

  @Test
  void ofThoseThatAreLateWhoeverGotLeastGoesFirst() {
    Instance latest = new Instance("latest", -90, 0).got(3);
    Instance owed = new Instance("owed", -20, 0).got(1);
    Instance soon = new Instance("soon", 50, 0);
    assertThat(step(0, latest, owed, soon)).isEqualTo(new Step(owed, 1, Reason.FAIR_SHARE, -20));
    assertThat(step(0, latest, owed.unable(), soon))
        .as("who is in time does not push in")
        .isEqualTo(new Step(latest, 1, Reason.LEAST_HEADROOM, -90));
  }

  @Test
  void whatIsLostGoesAfterWhatCanBeInTime() {
    Instance lost = new Instance("lost", Long.MAX_VALUE, 0).got(5).losing();
    Instance soon = new Instance("soon", 50, 0).got(5);
    assertThat(step(0, lost, soon)).isEqualTo(new Step(soon, 1, Reason.LEAST_HEADROOM, 50));
    assertThat(step(0, lost, new Instance("late", -1, 0).got(9)).candidate())
        .as("nor before tokens that are late and still count")
        .isNotEqualTo(lost);
  }

  @Test
  void whatIsLostGoesByFairShareBeforeAnybodyTakesTurns() {
    Instance lost = new Instance("lost", Long.MAX_VALUE, 0).got(3).losing();
    Instance owed = new Instance("owed", Long.MAX_VALUE, 0).got(1).losing();
    Instance far = new Instance("far", 900, 0);
    assertThat(step(0, lost, owed, far).candidate()).isEqualTo(owed);
    assertThat(step(0, lost, owed, far).reason()).isEqualTo(Reason.FAIR_SHARE);
  }

  @Test
  void whoseRequestsAreLostAndWhoGotLessThanItsShareGoesFirstAllTheSame() {
    Instance flooded = new Instance("flooded", 50, 0).got(9);
    Instance small = new Instance("small", Long.MAX_VALUE, 0).got(1).losing();
    assertThat(step(0, flooded, small))
        .isEqualTo(new Step(small, 1, Reason.FAIR_SHARE, Long.MAX_VALUE));
  }

  @Test
  void withoutHurryAPromptGoesFirst() {
    Instance prompt = new Instance("prompt", 700, 9).prompt();
    Step step = step(10, new Instance("a", 500, 0), prompt);
    assertThat(step.candidate()).isEqualTo(prompt);
    assertThat(step.reason()).isEqualTo(Reason.ITS_TURN);
  }

  @Test
  void withoutHurryInstancesTakeTurnsForTheirQuota() {
    Instance waited = new Instance("waited", 900, 2);
    Step step = step(10, new Instance("a", 500, 8), waited);
    assertThat(step).isEqualTo(new Step(waited, 3, Reason.ITS_TURN, 890));
  }

  @Test
  void whoHasWaitedForTooLongGoesBeforeWhoIsLate() {
    Instance patient = new Instance("patient", 90_000, 0);
    Step step = step(1_000, new Instance("late", -500, 900), patient);
    assertThat(step).isEqualTo(new Step(patient, 1, Reason.WAITED_LONG, 89_000));
  }

  /// With every step as long as `length`, nobody waits longer than the patience and a step of each.
  @Property
  void nobodyStarvesHoweverLateTheOthersAre(
      @ForAll @Size(min = 1, max = 8) List<@LongRange(min = -100_000, max = 100_000) Long> due,
      @ForAll @IntRange(min = 1, max = 200) int length) {
    List<Instance> instances = new ArrayList<>();
    for (int i = 0; i < due.size(); i++) {
      instances.add(new Instance("i" + i, due.get(i), 0));
    }
    long now = 0;
    for (int i = 0; i < 300; i++) {
      Step step = (Step) StepChoice.decide(instances, RULES, now);
      Instance ran = (Instance) step.candidate();
      now += (long) length * step.steps();
      for (Instance instance : instances) {
        assertThat(now - instance.waitsSince)
            .as("%s waited at %d", instance.name, now)
            .isLessThanOrEqualTo(1_000 + 3L * length * (instances.size() + 1));
      }
      ran.waitsSince = now;
    }
  }

  private static StepChoice.Outcome decide(long now, Instance... instances) {
    return StepChoice.decide(List.of(instances), RULES, now);
  }

  private static Step step(long now, Instance... instances) {
    return (Step) decide(now, instances);
  }

  private static final class Instance implements StepChoice.Candidate {
    private final String name;
    private final long deadline;
    private long waitsSince;
    private boolean prompt;
    private boolean runnable = true;
    private boolean lost;
    private double got;

    Instance(String name, long deadline, long waitsSince) {
      this.name = name;
      this.deadline = deadline;
      this.waitsSince = waitsSince;
    }

    Instance prompt() {
      prompt = true;
      return this;
    }

    Instance got(double seconds) {
      got = seconds;
      return this;
    }

    Instance losing() {
      lost = true;
      return this;
    }

    Instance unable() {
      runnable = false;
      return this;
    }

    @Override
    public boolean runnable() {
      return runnable;
    }

    @Override
    public long deadline() {
      return deadline;
    }

    @Override
    public boolean lost() {
      return lost;
    }

    @Override
    public long waitsSince() {
      return waitsSince;
    }

    @Override
    public boolean hasPrompt() {
      return prompt;
    }

    @Override
    public int quota() {
      return 3;
    }

    @Override
    public double deviceSeconds() {
      return got;
    }
  }
}
