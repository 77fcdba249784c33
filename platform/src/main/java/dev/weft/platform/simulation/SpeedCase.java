package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.platform.simulation.Runs.Configuration;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/// How long a simulation took, which other figures of simulations do not tell.
///
/// @param processor time of all threads of the process, which others on the machine do not change
/// @param wall time on the clock
record SpeedCase(
    String trace,
    Configuration configuration,
    Duration processor,
    Duration wall,
    long requests,
    long sloMet,
    long overCommits) {
  static final List<String> HEADINGS =
      List.of(
          "trace",
          "devices",
          "processor, s",
          "clock, s",
          "processor a request, us",
          "requests",
          "SLO met",
          "over-commits");

  /// Simulates made-up requests.
  static SpeedCase of(String trace, Testbed testbed, Configuration configuration) {
    Runs runs = new Runs(SyntheticOption.make(trace, configuration.seed()), testbed);
    Duration before = used();
    long began = System.nanoTime();
    SimulationResult result = runs.run(configuration).result();
    return new SpeedCase(
        trace,
        configuration,
        used().minus(before),
        Duration.ofNanos(System.nanoTime() - began),
        result.requests(),
        result.sloMet(),
        result.overCommits());
  }

  private static Duration used() {
    return ProcessHandle.current()
        .info()
        .totalCpuDuration()
        .orElseThrow(() -> new IllegalStateException("no processor time is told here"));
  }

  List<String> row() {
    return List.of(
        trace,
        configuration.devices(),
        seconds(processor),
        seconds(wall),
        String.format(Locale.ROOT, "%.0f", processor.toNanos() / 1e3 / requests),
        String.format(Locale.ROOT, "%,d", requests),
        String.format(Locale.ROOT, "%,d", sloMet),
        String.valueOf(overCommits));
  }

  private static String seconds(Duration time) {
    return String.format(Locale.ROOT, "%.0f", time.toNanos() / 1e9);
  }
}
