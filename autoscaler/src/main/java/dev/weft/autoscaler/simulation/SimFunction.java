package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.memory.LengthForecast;
import dev.weft.autoscaler.scaling.ArrivalHistory;
import dev.weft.autoscaler.scheduling.FairShares;
import dev.weft.autoscaler.scheduling.TokenTarget;
import java.util.ArrayList;
import java.util.List;

/// A function, and what was learned of it.
final class SimFunction {
  /// How much earlier than promised the policies aim.
  private static final double AIM = 0.95;

  final int number;
  final ModelSpec model;
  final int priority;
  final TokenTarget promise;
  final TokenTarget target;
  final LengthForecast lengths;
  final FairShares shares;
  final ArrivalHistory arrivals = new ArrivalHistory();
  final List<SimInstance> instances = new ArrayList<>();

  /// Whether an instance is to be made ahead of its next calls.
  boolean anticipated;

  SimFunction(
      int number,
      ModelSpec model,
      int priority,
      TokenTarget promise,
      LengthForecast prior,
      FairShares shares) {
    this.number = number;
    this.model = model;
    this.priority = priority;
    this.promise = promise;
    this.target = promise.times(AIM);
    this.lengths = new LengthForecast(prior);
    this.shares = shares;
  }

  /// What it got lately (see [FairShares]).
  double got(long now) {
    return shares.got(number, now);
  }
}
