package dev.weft.runtime.engine;

import dev.weft.autoscaler.scheduling.FairShares;
import dev.weft.autoscaler.scheduling.StepChoice;
import dev.weft.autoscaler.scheduling.StepChoice.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Whose step is next: the instances of a device, the choice among them by [StepChoice], and what
/// each got of the device's time. Used by the device's thread.
final class Turns {
  private static final StepChoice.Rules RULES = StepChoice.Rules.DEFAULT;

  /// What an instance got counts for half after so long: one that had the device for itself does
  /// not pay for that when others come.
  private static final long MEMORY_NANOS = Duration.ofSeconds(5).toNanos();

  /// Whoever was served last comes last, and so loses where two are equal.
  private final List<Place> places = new ArrayList<>();

  private @Nullable Place granted;
  private int stepsLeft;
  private long now;

  /// An instance, since when it could have run, and what it got.
  private final class Place implements StepChoice.Candidate {
    private final Work work;
    private final FairShares share;
    private long waitsSince;
    private long begunAt;

    Place(Work work, long now) {
      this.work = work;
      share = FairShares.forgetting(MEMORY_NANOS, work.priority());
      waitsSince = now;
      begunAt = now;
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
    public boolean lost() {
      return work.lost();
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

    @Override
    public double deviceSeconds() {
      return share.got(0, now);
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

  /// What the least patient of the others with work bears; [PrefillPace#NOBODY_READS] without any.
  long longestBesideOthers(Work work) {
    long longest = PrefillPace.NOBODY_READS;
    for (Place place : places) {
      if (!place.work.equals(work) && place.runnable()) {
        longest = Math.min(longest, place.work.longestBeside());
      }
    }
    return longest;
  }

  /// The next turn; `null` when nobody has work.
  ///
  /// @param news whether something came since the last turn that may be in a greater hurry
  @Nullable Turn next(long now, boolean news) {
    this.now = now;
    for (Place place : places) {
      if (place.work.underWay()) {
        // What is news is looked at when its step has ended.
        granted = news ? null : granted;
        place.begunAt = now;
        return new Turn(place.work, StepChoice.Reason.ITS_TURN, place.work.due() - now);
      }
    }
    Place last = granted;
    if (last != null && !news && stepsLeft > 0 && last.runnable() && last.work.due() > now) {
      stepsLeft--;
      last.begunAt = now;
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
    chosen.begunAt = now;
    stepsLeft = steps - 1;
    places.remove(chosen);
    places.add(chosen);
    return new Turn(chosen.work, reason, headroom);
  }

  /// Says that the turn that was given last has ended.
  void ended(Work work, long now) {
    for (Place place : places) {
      if (place.work.equals(work)) {
        place.waitsSince = now;
        place.share.used(0, now - place.begunAt, now);
      }
    }
  }
}
