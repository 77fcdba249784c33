package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.platform.simulation.Runs.Configuration;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/// Simulates what `bench/run simulate` records: the policies against those that share nothing, each
/// mechanism switched off, there and where it is for, other traces under the same rules, and how
/// long a million requests take. One simulation at a time; what is written is written again after
/// each, so a run that is ended early leaves what it has.
public final class SimulationBench {
  static final String TABLE = "table";
  static final String ABLATIONS = "ablations";
  static final String TRACES = "traces";
  static final String FORECAST = "forecast";
  static final String PURPOSES = "purposes";
  static final String SPEED = "speed";
  private static final List<String> PARTS =
      List.of(FORECAST, TABLE, ABLATIONS, PURPOSES, TRACES, SPEED);

  private static final String GPUS = "gpu=4";
  private static final String BOTH = "cpu=4,gpu=4";
  private static final List<Setting> SETTINGS =
      List.of(
          new Setting("exclusive", "exclusive", GPUS),
          new Setting("exclusive + CPU", "exclusive", BOTH),
          new Setting("static halves + CPU", "static-half", BOTH),
          new Setting("LLM-Mesh", "llm-mesh", GPUS),
          new Setting("LLM-Mesh + CPU", "llm-mesh", BOTH));
  private static final int ABLATION_SEEDS = 2;

  /// At the same rate, so that what is measured is what more requests cost.
  private static final List<String> SPEED_TRACES =
      List.of(
          "requests=250000,functions=10000,seconds=450",
          "requests=500000,functions=10000,seconds=900",
          "requests=1000000,functions=10000,seconds=1800");

  private static final String MANY_DEVICES = "cpu=500,gpu=500";

  private final Figures figures = new Figures();
  private final Testbed testbed = Testbed.measured();
  private final SimulationReport report;
  private final int seeds;

  private SimulationBench(SimulationReport report, int seeds) {
    this.report = report;
    this.seeds = seeds;
  }

  /// Arguments: a directory of traces, the name of the one that the table is made of, the directory
  /// for results, a number of seeds, parts.
  public static void main(String[] arguments) throws IOException {
    if (arguments.length < 4) {
      throw new FileFormatException("TRACES_DIRECTORY MAIN_TRACE RESULTS SEEDS [PART...]");
    }
    Path traces = Path.of(arguments[0]);
    Path main = traces.resolve(arguments[1]);
    Path results = Path.of(arguments[2]);
    List<String> parts =
        arguments.length == 4 ? PARTS : List.of(arguments).subList(4, arguments.length);
    Files.createDirectories(results);
    var bench =
        new SimulationBench(
            new SimulationReport(
                results,
                System.getProperty("weft.commit", "unknown"),
                System.getProperty("weft.machine", "unknown")),
            Integer.parseInt(arguments[3]));
    for (String part : parts) {
      switch (part) {
        case TABLE -> bench.table(main);
        case ABLATIONS -> bench.ablations(main);
        case FORECAST -> bench.forecasts(traces);
        case PURPOSES -> bench.purposes(main);
        case TRACES -> bench.traces(traces, main);
        case SPEED -> bench.speed();
        default -> throw new FileFormatException("no part %s; there are %s".formatted(part, PARTS));
      }
    }
  }

  private void table(Path trace) throws IOException {
    Runs runs = new Runs(TraceFile.read(trace), testbed);
    for (String model : List.of("7B", "3B", "13B")) {
      for (int functions : List.of(128, 64, 32)) {
        for (Setting setting : SETTINGS) {
          simulate(
              runs, TABLE, trace, setting.label, setting.with(functions, model, List.of()), seeds);
        }
      }
    }
  }

  private void ablations(Path trace) throws IOException {
    Runs runs = new Runs(TraceFile.read(trace), testbed);
    for (String workload : List.of("7B", "13B", "3B")) {
      Setting setting = SETTINGS.getLast();
      simulate(
          runs, ABLATIONS, trace, "all", setting.with(128, workload, List.of()), ABLATION_SEEDS);
      for (Mechanism mechanism : Mechanism.values()) {
        String name = mechanism.name().toLowerCase(Locale.ROOT).replace('_', '-');
        simulate(
            runs,
            ABLATIONS,
            trace,
            "without " + name,
            setting.with(128, workload, List.of(name)),
            ABLATION_SEEDS);
      }
    }
  }

  private void purposes(Path trace) throws IOException {
    for (Purpose purpose : Purpose.ALL) {
      BenchCase with = purpose(purpose, trace, true);
      figures.purposes.add(new Purpose.Outcome(purpose, with, purpose(purpose, trace, false)));
      report.write(figures);
    }
  }

  private BenchCase purpose(Purpose purpose, Path main, boolean with) {
    Configuration configuration = purpose.configuration(with);
    boolean made = !purpose.synthetic().isEmpty();
    List<SimulationResult> results = new ArrayList<>();
    for (int seed = 1; seed <= seeds; seed++) {
      Trace trace = made ? SyntheticOption.make(purpose.synthetic(), seed) : TraceFile.read(main);
      results.add(new Runs(trace, testbed).run(configuration.seeded(seed)).result());
    }
    String source = made ? purpose.synthetic() : name(main);
    String label = (with ? "with " : "without ") + purpose.name();
    return new BenchCase(PURPOSES, source, label, configuration, results);
  }

  private void speed() throws IOException {
    var configuration = new Configuration(0, "7B", MANY_DEVICES, "llm-mesh", List.of(), 1);
    for (String trace : SPEED_TRACES) {
      figures.speeds.add(SpeedCase.of(trace, testbed, configuration));
      report.write(figures);
    }
  }

  private void traces(Path directory, Path main) throws IOException {
    for (Path file : files(directory)) {
      if (file.equals(main)) {
        continue;
      }
      Runs runs = new Runs(TraceFile.read(file), testbed);
      for (Setting setting : SETTINGS) {
        simulate(runs, TRACES, file, setting.label, setting.with(128, "7B", List.of()), 1);
      }
    }
  }

  private void forecasts(Path directory) throws IOException {
    for (Path file : files(directory)) {
      figures.forecasts.addAll(ForecastCase.of(name(file), TraceFile.read(file)));
    }
    report.write(figures);
  }

  private static List<Path> files(Path directory) throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.sorted().toList();
    }
  }

  private static String name(Path file) {
    return String.valueOf(file.getFileName());
  }

  private void simulate(
      Runs runs, String part, Path trace, String label, Configuration configuration, int seeds)
      throws IOException {
    List<SimulationResult> results = new ArrayList<>();
    for (int seed = 1; seed <= seeds; seed++) {
      results.add(runs.run(configuration.seeded(seed)).result());
    }
    figures.cases.add(new BenchCase(part, name(trace), label, configuration, results));
    report.write(figures);
  }

  /// Who decides, on what.
  private record Setting(String label, String policy, String devices) {
    Configuration with(int functions, String model, List<String> without) {
      return new Configuration(functions, model, devices, policy, without, 1);
    }
  }
}
