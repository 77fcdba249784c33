package dev.weft.autoscaler.scheduling;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/// Which instance of a device runs the next step.
///
/// 1. One that could run and did not for [Rules#patienceNanos], the longest waiting first: with `n`
///    instances none waits for longer than the patience and `n` grants, however late the others
///    are. Without this rule a device that has more than it can do would serve those that are
///    latest and let one with more time starve.
/// 2. Else, while tokens are late already, of the instances that are late the one that got least of
///    the device's time for its priority: what is late is late, and what there is too little of
///    goes round by what functions count for. Of two that got the same, the one whose token is due
///    first.
/// 3. Else, when a token is due within [Rules#comfortNanos], the instance whose token is due first;
///    but one whose requests have lost their deadline goes before it if it got less of the device's
///    time for its priority.
/// 4. Else, of those that have lost a deadline, the one that got least: what can be in time goes
///    before what cannot any more.
/// 5. Else nobody is in a hurry, and what counts is that requests end and leave their memory to
///    others. Serving the least headroom here would bring all of them to the same headroom, so that
///    all would end late; instead prompts go first, then instances take turns.
///
/// A grant in a hurry is for one step; else it is for the instance's quota: small models have short
/// steps, and going from one to another costs the same for all.
public final class StepChoice {
  private StepChoice() {}

  /// Decides for one device. Allocates the outcome alone.
  public static Outcome decide(List<? extends Candidate> candidates, Rules rules, long now) {
    Candidate earliest = null;
    Candidate longest = null;
    Candidate prompt = null;
    Candidate lost = null;
    for (int i = 0; i < candidates.size(); i++) {
      Candidate candidate = candidates.get(i);
      if (!candidate.runnable()) {
        continue;
      }
      earliest = earliest == null || due(candidate, earliest) ? candidate : earliest;
      longest = longest == null || waited(candidate, longest) ? candidate : longest;
      if (candidate.lost()) {
        lost = lost == null || lessServed(candidate, lost) ? candidate : lost;
      }
      if (candidate.hasPrompt()) {
        prompt = prompt == null || due(candidate, prompt) ? candidate : prompt;
      }
    }
    if (earliest == null || longest == null) {
      return Idle.IDLE;
    }
    if (rules.order() == Order.TURNS) {
      return new Step(longest, 1, Reason.ITS_TURN, longest.deadline() - now);
    }
    if (!longest.equals(earliest) && now - longest.waitsSince() >= rules.patienceNanos()) {
      return new Step(longest, 1, Reason.WAITED_LONG, longest.deadline() - now);
    }
    if (earliest.deadline() < now) {
      Candidate owed = owed(candidates, now);
      Reason reason = owed.equals(earliest) ? Reason.LEAST_HEADROOM : Reason.FAIR_SHARE;
      return new Step(owed, 1, reason, owed.deadline() - now);
    }
    boolean hurry = earliest.deadline() - now <= rules.comfortNanos();
    if (lost != null && (!hurry || lost.deviceSeconds() < earliest.deviceSeconds())) {
      return new Step(lost, 1, Reason.FAIR_SHARE, lost.deadline() - now);
    }
    if (!hurry) {
      Candidate turn = prompt == null ? longest : prompt;
      return new Step(turn, Math.max(1, turn.quota()), Reason.ITS_TURN, turn.deadline() - now);
    }
    return new Step(earliest, 1, Reason.LEAST_HEADROOM, earliest.deadline() - now);
  }

  /// Of those that are late.
  private static Candidate owed(List<? extends Candidate> candidates, long now) {
    Candidate owed = null;
    for (int i = 0; i < candidates.size(); i++) {
      Candidate candidate = candidates.get(i);
      if (candidate.runnable()
          && candidate.deadline() < now
          && (owed == null || lessServed(candidate, owed))) {
        owed = candidate;
      }
    }
    return Objects.requireNonNull(owed);
  }

  private static boolean lessServed(Candidate candidate, Candidate before) {
    int more = Double.compare(candidate.deviceSeconds(), before.deviceSeconds());
    return more < 0 || (more == 0 && due(candidate, before));
  }

  private static boolean due(Candidate candidate, Candidate before) {
    return candidate.deadline() < before.deadline();
  }

  private static boolean waited(Candidate candidate, Candidate before) {
    return candidate.waitsSince() < before.waitsSince();
  }

  /// The candidate that the outcome names, typed as the caller's.
  public static <C extends Candidate> Optional<C> granted(Outcome outcome, Class<C> type) {
    return outcome instanceof Step step
        ? Optional.of(type.cast(step.candidate()))
        : Optional.empty();
  }

  /// An instance of the device.
  public interface Candidate {
    /// Whether it has something to compute and may compute it.
    boolean runnable();

    /// When the first of its requests' next tokens is due; `Long.MAX_VALUE` when none is that can
    /// be in time.
    long deadline();

    /// Whether a request of it has lost its deadline: its first token is late whatever happens.
    default boolean lost() {
      return false;
    }

    /// Since when it could run and did not.
    long waitsSince();

    /// Whether a prompt of its requests waits to be computed.
    boolean hasPrompt();

    /// The most steps of one grant.
    int quota();

    /// Seconds of the device's time that it got lately, for a priority of 1; the same for all where
    /// priorities are not told apart.
    default double deviceSeconds() {
      return 0;
    }
  }

  /// How one is chosen.
  public enum Order {
    /// The one whose next token is due first.
    HEADROOM,
    /// The one that has waited longest: for comparisons.
    TURNS
  }

  /// The rules of a choice.
  ///
  /// @param patienceNanos how long an instance waits before it goes first
  /// @param comfortNanos how far away every deadline must be for instances to take turns
  public record Rules(Order order, long patienceNanos, long comfortNanos) {
    public static final Rules DEFAULT = new Rules(Order.HEADROOM, 2_000_000_000L, 500_000_000L);
    public static final Rules TURNS = new Rules(Order.TURNS, 0, 0);

    public Rules {
      if (patienceNanos < 0 || comfortNanos < 0) {
        throw new IllegalArgumentException(
            "negative rules: %d, %d".formatted(patienceNanos, comfortNanos));
      }
    }
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// Nobody has anything to compute.
  public enum Idle implements Outcome {
    IDLE
  }

  /// That one runs.
  ///
  /// @param steps the most it may run before it asks again
  /// @param headroomNanos what is left until its next token is due; negative when it is late
  public record Step(Candidate candidate, int steps, Reason reason, long headroomNanos)
      implements Outcome {}

  /// Why it and no other.
  public enum Reason {
    LEAST_HEADROOM,
    FAIR_SHARE,
    WAITED_LONG,
    ITS_TURN
  }
}
