package dev.weft.bench.live;

import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.bench.Spread;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// What one round of calls came to under one policy, live or simulated.
///
/// @param worstFunction the share of its requests that were met, of the function where that is
///   least, in percent
/// @param gaveUp requests that had no first token when it was due
/// @param failed requests that failed in any other way
/// @param computingSeconds of all devices
record Figures(
    double met,
    double metWithoutColdStarts,
    double worstFunction,
    double gaveUp,
    double failed,
    double firstTokenMillis,
    double loads,
    double computingSeconds) {

  static Figures live(Replays.Watched watched) {
    List<Replay.Outcome> outcomes = watched.outcomes();
    List<Double> firsts =
        outcomes.stream()
            .filter(outcome -> outcome.served().firstAt() >= 0)
            .map(outcome -> (outcome.served().firstAt() - outcome.served().arrivedAt()) / 1e6)
            .toList();
    return new Figures(
        outcomes.stream().filter(outcome -> outcome.met(true)).count(),
        outcomes.stream().filter(outcome -> outcome.met(false)).count(),
        100 * worstFunction(outcomes),
        outcomes.stream().filter(Replay.Outcome::hungUp).count(),
        outcomes.stream().filter(outcome -> outcome.error() != null).count(),
        firsts.isEmpty() ? 0 : Spread.percentileOf(firsts, 0.5),
        watched.loads(),
        watched.time().devices());
  }

  private static double worstFunction(List<Replay.Outcome> outcomes) {
    int[] all = new int[LiveFunction.COUNT];
    int[] met = new int[LiveFunction.COUNT];
    for (Replay.Outcome outcome : outcomes) {
      all[outcome.call().function()]++;
      met[outcome.call().function()] += outcome.met(true) ? 1 : 0;
    }
    double worst = 1;
    for (int i = 0; i < all.length; i++) {
      worst = all[i] == 0 ? worst : Math.min(worst, (double) met[i] / all[i]);
    }
    return worst;
  }

  /// The medians over seeds.
  static Figures simulated(List<SimulationResult> results) {
    return new Figures(
        median(results, SimulationResult::sloMet),
        median(results, SimulationResult::sloMetStrict),
        100 * median(results, SimulationResult::worstFunctionShare),
        median(results, SimulationResult::dropped),
        median(results, SimulationResult::unfinished),
        1e3 * median(results, SimulationResult::ttftP50Seconds),
        median(results, SimulationResult::loads),
        median(results, SimulationResult::busySeconds));
  }

  private static double median(
      List<SimulationResult> results, ToDoubleFunction<SimulationResult> value) {
    return Spread.of(results.stream().map(value::applyAsDouble).toList()).median();
  }
}
