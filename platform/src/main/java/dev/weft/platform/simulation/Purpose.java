package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.platform.simulation.Runs.Configuration;
import java.util.List;
import java.util.Locale;

/// What a mechanism is for: a workload on which what it saves is scarce, and the figure that says
/// so. Nobody needs all of them at once, so none of these is judged on the main trace alone.
///
/// @param workload in words
/// @param synthetic a made-up trace as [SyntheticOption] reads it; empty for the main trace
record Purpose(
    Mechanism mechanism,
    String workload,
    String synthetic,
    int functions,
    String model,
    String devices,
    Figure figure) {
  static final List<String> HEADINGS =
      List.of("mechanism", "workload", "what counts", "with it", "without", "cost of its absence");

  private static final String BOTH = "cpu=4,gpu=4";

  static final List<Purpose> ALL =
      List.of(
          main(Mechanism.SHARING, "the main one", 128, "7B", BOTH, Figure.MET),
          main(Mechanism.HEADROOM, "small models, many at once", 128, "3B", BOTH, Figure.MET),
          main(Mechanism.VALIDATION, "the main one", 128, "7B", BOTH, Figure.MET),
          main(Mechanism.PACKING, "less than devices can do", 64, "3B", "gpu=4", Figure.DEVICES),
          main(
              Mechanism.FAIRNESS,
              "twice what devices can do",
              128,
              "13B",
              BOTH,
              Figure.WITHOUT_ANY),
          main(Mechanism.PREEMPTION, "the main one", 128, "7B", BOTH, Figure.MET),
          main(
              Mechanism.CPU_FIRST,
              "less than devices can do",
              64,
              "3B",
              BOTH,
              Figure.GRAPHICS_CARDS),
          made(
              Mechanism.WATERMARK,
              "long prompts, short answers",
              "requests=20000,functions=8,burst=16,prompt=1500,answer=20",
              "13B",
              Figure.MET),
          made(
              Mechanism.FORECAST,
              "short prompts and answers, many at once",
              "requests=30000,functions=8,burst=64,prompt=100,answer=60",
              "13B",
              Figure.MET),
          made(
              Mechanism.KEEP_ALIVE,
              "two calls after each other, a few times an hour",
              "requests=600,functions=200,burst=2,skew=0,prompt=150,answer=60",
              "3B",
              Figure.MET_STRICTLY),
          made(
              Mechanism.FORESIGHT,
              "timers",
              "requests=1000,functions=60,burst=1,skew=0.5,prompt=150,answer=60,regular=1",
              "3B",
              Figure.MET_STRICTLY),
          main(
              Mechanism.CACHES,
              "weights that are not everywhere",
              64,
              "7B",
              "gpu=4@400",
              Figure.MET_STRICTLY),
          main(
              Mechanism.REFINEMENT,
              "devices slower than they were measured",
              128,
              "7B",
              "cpu=4x1.5,gpu=4x1.5",
              Figure.MET));

  String name() {
    return mechanism.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  Configuration configuration(boolean with) {
    return new Configuration(
        functions, model, devices, "llm-mesh", with ? List.of() : List.of(name()), 1);
  }

  private static Purpose main(
      Mechanism mechanism,
      String workload,
      int functions,
      String model,
      String devices,
      Figure figure) {
    return new Purpose(mechanism, workload, "", functions, model, devices, figure);
  }

  private static Purpose made(
      Mechanism mechanism, String workload, String synthetic, String model, Figure figure) {
    return new Purpose(mechanism, workload, synthetic, 0, model, "gpu=4", figure);
  }

  /// With the mechanism and without it.
  record Outcome(Purpose purpose, BenchCase with, BenchCase without) {
    List<String> row() {
      Figure figure = purpose.figure;
      return List.of(
          purpose.name(),
          "%s: %s, %s on %s".formatted(purpose.workload, source(), purpose.model, purpose.devices),
          figure.label(),
          figure.of(with),
          figure.of(without),
          cost(figure.cost(with, without)));
    }

    private String source() {
      return purpose.synthetic.isEmpty()
          ? "%d functions of the main trace".formatted(purpose.functions)
          : with.trace();
    }

    private static String cost(double share) {
      return String.format(Locale.ROOT, "%.1f %%%s", 100 * share, share > 0 ? "" : " (MISSED)");
    }
  }
}
