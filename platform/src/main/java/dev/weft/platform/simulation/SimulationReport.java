package dev.weft.platform.simulation;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.functions.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/// What simulations came to, as files: `simulate.json` with every figure, `results.md` with tables,
/// `report.html` with plots.
final class SimulationReport {
  private static final List<String> HEADINGS =
      List.of(
          "trace",
          "functions",
          "model",
          "requests",
          "",
          "SLO met (least to most)",
          "over exclusive",
          "without cold starts",
          "worst function",
          "functions without any",
          "devices used",
          "memory",
          "over-commits",
          "unfinished");

  private final Path directory;
  private final String commit;
  private final String machine;

  SimulationReport(Path directory, String commit, String machine) {
    this.directory = directory;
    this.commit = commit;
    this.machine = machine;
  }

  void write(List<BenchCase> cases, List<ForecastCase> forecasts) throws IOException {
    ObjectNode json = Json.mapper().createObjectNode();
    json.put("commit", commit).put("machine", machine);
    var all = json.putArray("cases");
    cases.forEach(each -> all.add(each.json()));
    json.set("forecasts", Json.mapper().valueToTree(forecasts));
    Files.writeString(directory.resolve("simulate.json"), json + "\n");
    Files.writeString(directory.resolve("results.md"), markdown(cases, forecasts));
    Files.writeString(
        directory.resolve("report.html"), SimulationPage.of(about(), cases, forecasts));
  }

  private String about() {
    return "Commit %s, on %s. Nothing here is a time of this machine: clocks are simulated."
        .formatted(commit, machine);
  }

  private String markdown(List<BenchCase> cases, List<ForecastCase> forecasts) {
    StringBuilder text = new StringBuilder("# Simulated: LLM-Mesh beside exclusive devices\n\n");
    text.append(about()).append("\n");
    for (String part : cases.stream().map(BenchCase::part).distinct().toList()) {
      List<List<String>> rows =
          cases.stream()
              .filter(each -> each.part().equals(part))
              .map(each -> row(each, cases))
              .toList();
      table(text, part, HEADINGS, rows);
    }
    if (!forecasts.isEmpty()) {
      List<List<String>> rows = forecasts.stream().map(ForecastCase::row).toList();
      table(text, SimulationBench.FORECAST, ForecastCase.HEADINGS, rows);
    }
    return text.toString();
  }

  private static void table(
      StringBuilder text, String title, List<String> headings, List<List<String>> rows) {
    text.append("\n## ").append(title).append("\n\n| ");
    text.append(String.join(" | ", headings)).append(" |\n");
    text.append("|---".repeat(headings.size())).append("|\n");
    rows.forEach(row -> text.append("| ").append(String.join(" | ", row)).append(" |\n"));
  }

  static List<String> headings() {
    return HEADINGS;
  }

  static List<String> row(BenchCase each, List<BenchCase> cases) {
    SimulationResult first = each.results().getFirst();
    int functions = each.configuration().functions();
    return List.of(
        each.trace(),
        functions == 0 ? "all" : String.valueOf(functions),
        each.configuration().model(),
        count((double) first.requests()),
        each.label(),
        "%s (%s to %s)"
            .formatted(
                count(each.median(SimulationResult::sloMet)),
                count(each.least(SimulationResult::sloMet)),
                count(each.most(SimulationResult::sloMet))),
        more(each, cases),
        count(each.median(SimulationResult::sloMetStrict)),
        percent(each, SimulationResult::worstFunctionShare),
        count(each.median(BenchCase::starved)),
        String.format(Locale.ROOT, "%.2f", each.median(SimulationResult::devicesUsedMean)),
        percent(each, SimulationResult::memoryShareMean),
        count(each.most(SimulationResult::overCommits)),
        count(each.most(SimulationResult::unfinished)));
  }

  /// How many more are met than on exclusive graphics cards, or by all mechanisms together.
  private static String more(BenchCase each, List<BenchCase> cases) {
    for (BenchCase other : cases) {
      boolean basis =
          other.part().equals(each.part())
              && other.trace().equals(each.trace())
              && other.configuration().functions() == each.configuration().functions()
              && other.configuration().model().equals(each.configuration().model());
      if (basis) {
        double share =
            each.median(SimulationResult::sloMet)
                / Math.max(1, other.median(SimulationResult::sloMet));
        return String.format(Locale.ROOT, "%+.1f %%", 100 * (share - 1));
      }
    }
    return "";
  }

  private static String count(double value) {
    return String.format(Locale.ROOT, "%,.0f", value);
  }

  private static String percent(BenchCase each, ToDoubleFunction<SimulationResult> value) {
    return String.format(Locale.ROOT, "%.0f %%", 100 * each.median(value));
  }
}
