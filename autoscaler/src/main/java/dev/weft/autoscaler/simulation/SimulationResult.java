package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.admission.ShadowValidation.Code;
import java.util.List;
import java.util.Map;

/// What a simulation came to.
///
/// @param sloMet requests whose first token came as promised, or later by no more than the cold
///   start they waited for, and whose other tokens came as promised on average
/// @param sloMetStrict the same without allowing for cold starts
/// @param dropped given up because their first token was too late before they had a place
/// @param firstLate of those that ended, requests whose first token was too late
/// @param othersSlow of those that ended, requests whose other tokens were
/// @param unfinished neither ended nor given up: always 0, unless requests go round for ever
/// @param overCommits times that more memory was held than there is: always 0
/// @param worstFunctionShare of its requests that were met, of the function where that is least
/// @param devicesUsedMean devices that have something to do or load it, over time
/// @param batchMean sequences of a step
/// @param refusals how often a request had to wait for a place, by each reason that stood against
///   it somewhere
/// @param decisions how often each was taken
public record SimulationResult(
    long requests,
    long sloMet,
    long sloMetStrict,
    long dropped,
    long firstLate,
    long othersSlow,
    long unfinished,
    long overCommits,
    double worstFunctionShare,
    double devicesUsedMean,
    double cpusUsedMean,
    double gpusUsedMean,
    double memoryShareMean,
    double batchMean,
    double ttftP50Seconds,
    double ttftP99Seconds,
    long answerTokens,
    long loads,
    long unloads,
    long evictions,
    long resizes,
    double endedAtSeconds,
    double busySeconds,
    Waits waits,
    Map<Code, Long> refusals,
    Map<Decision, Long> decisions,
    List<FunctionShare> functions,
    List<Minute> minutes,
    List<Sample> samples) {
  public SimulationResult {
    refusals = Map.copyOf(refusals);
    decisions = Map.copyOf(decisions);
    functions = List.copyOf(functions);
    minutes = List.copyOf(minutes);
    samples = List.copyOf(samples);
  }

  /// The share of all requests that were met.
  public double sloMetShare() {
    return requests == 0 ? 1 : (double) sloMet / requests;
  }

  /// Seconds that all requests together waited: for a place, for a cold start, for their prompts'
  /// turn. A cold start's time is within the other two.
  public record Waits(double placing, double cold, double queued) {}

  /// One function's requests.
  public record FunctionShare(int function, int requests, int met) {
    public double share() {
      return (double) met / requests;
    }
  }

  /// The requests that came in one minute.
  public record Minute(int requests, int met) {
    Minute and(boolean one) {
      return new Minute(requests + 1, met + (one ? 1 : 0));
    }
  }

  /// How things are at a moment.
  ///
  /// @param memoryShare of all devices' memory that is held
  /// @param batch requests for each instance that has any
  /// @param pending requests without a place
  public record Sample(
      double seconds, int cpus, int gpus, double memoryShare, double batch, int pending) {}
}
