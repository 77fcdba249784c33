package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.SimulationResult;
import java.util.Locale;

/// What a mechanism is judged by.
enum Figure {
  MET("requests met", true),
  MET_STRICTLY("met, no cold start allowed for", true),
  DEVICES("devices used", false),
  GRAPHICS_CARDS("graphics cards used", false),
  WITHOUT_ANY("functions without any met", false);

  private final String label;
  private final boolean moreIsBetter;

  Figure(String label, boolean moreIsBetter) {
    this.label = label;
    this.moreIsBetter = moreIsBetter;
  }

  private double value(SimulationResult result) {
    return switch (this) {
      case MET -> (double) result.sloMet();
      case MET_STRICTLY -> (double) result.sloMetStrict();
      case DEVICES -> result.devicesUsedMean();
      case GRAPHICS_CARDS -> result.gpusUsedMean();
      case WITHOUT_ANY -> BenchCase.starved(result);
    };
  }

  String label() {
    return label;
  }

  /// How much worse it is without something, as a share of what it is with it; where that is 0, how
  /// much worse. Negative where it is better.
  double cost(BenchCase with, BenchCase without) {
    double worse = median(with) - median(without);
    double cost = median(with) == 0 ? worse : worse / median(with);
    return moreIsBetter ? cost : -cost;
  }

  private double median(BenchCase of) {
    return of.median(this::value);
  }

  /// The median of all seeds, and the least and the most.
  String of(BenchCase one) {
    return "%s (%s to %s)"
        .formatted(
            text(one.median(this::value)),
            text(one.least(this::value)),
            text(one.most(this::value)));
  }

  private static String text(double number) {
    return String.format(Locale.ROOT, number == Math.rint(number) ? "%,.0f" : "%,.2f", number);
  }
}
