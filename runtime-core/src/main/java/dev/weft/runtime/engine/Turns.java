package dev.weft.runtime.engine;

import dev.weft.autoscaler.scheduling.StepChoice;
import dev.weft.autoscaler.scheduling.StepChoice.Step;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Whose step is next: the instances of a device, and the choice among them by [StepChoice]. Used
/// by the device's thread.
final class Turns {
  private static final StepChoice.Rules RULES = StepChoice.Rules.DEFAULT;

  /// Whoever was served last comes last, and so loses where two are equal.
  private final List<Place> places = new ArrayList<>();

  private @Nullable Place granted;
  private int stepsLeft;

  /// An instance, and since when it could have run.
  private static final class Place implements StepChoice.Candidate {
    private final Work work;
    private long waitsSince;

    Place(Work work, long now) {
      this.work = work;
      waitsSince = now;
    }

    @Override
    public boolean runnable() {
      return work.hasWork();
    }

    @Override
    public long deadline() {
      return work.due();
    }

    @Override
    public long waitsSince() {
      return waitsSince;
    }

    /// Beside readers prompts are computed in short pieces: they take turns like everybody.
    @Override
    public boolean hasPrompt() {
      return false;
    }

    @Override
    public int quota() {
      return work.quota();
    }
  }

  /// Who runs a step now, and why.
  ///
  /// @param headroomNanos what is left until its next token is due; negative when that is late
  record Turn(Work work, StepChoice.Reason reason, long headroomNanos) {}

  void add(Work work, long now) {
    places.addFirst(new Place(work, now));
  }

  void remove(Work work) {
    places.removeIf(place -> place.work.equals(work));
    granted = null;
  }

  List<Work> all() {
    return places.stream().map(place -> place.work).toList();
  }

  boolean othersHaveWork(Work work) {
    for (Place place : places) {
      if (!place.work.equals(work) && place.runnable()) {
        return true;
      }
    }
    return false;
  }

  /// The next turn; `null` when nobody has work.
  ///
  /// @param news whether something came since the last turn that may be in a greater hurry
  @Nullable Turn next(long now, boolean news) {
    Place last = granted;
    if (last != null && !news && stepsLeft > 0 && last.runnable() && last.work.due() > now) {
      stepsLeft--;
      return new Turn(last.work, StepChoice.Reason.ITS_TURN, last.work.due() - now);
    }
    for (Place place : places) {
      if (!place.runnable()) {
        place.waitsSince = now;
      }
    }
    if (!(StepChoice.decide(places, RULES, now)
        instanceof Step(Place chosen, int steps, var reason, long headroom))) {
      granted = null;
      return null;
    }
    granted = chosen;
    stepsLeft = steps - 1;
    places.remove(chosen);
    places.add(chosen);
    return new Turn(chosen.work, reason, headroom);
  }

  /// Says that a turn has ended.
  void ended(Work work, long now) {
    for (Place place : places) {
      if (place.work.equals(work)) {
        place.waitsSince = now;
      }
    }
  }
}
