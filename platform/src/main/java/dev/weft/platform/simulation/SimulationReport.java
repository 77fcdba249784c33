package dev.weft.platform.simulation;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.autoscaler.simulation.SimulationResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/// What simulations came to, as files: `simulate.json` with every figure, `results.md` with tables,
/// `report.html` with plots.
final class SimulationReport {
  static final List<String> HEADINGS =
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

  void write(Figures figures) throws IOException {
    ObjectNode json = figures.json();
    json.put("commit", commit).put("machine", machine);
    Files.writeString(directory.resolve("simulate.json"), json + "\n");
    Files.writeString(directory.resolve("results.md"), markdown(figures));
    Files.writeString(directory.resolve("report.html"), SimulationPage.of(about(), figures));
  }

  private String about() {
    return ("Commit %s, on %s. Clocks are simulated: nothing here is a time of this machine but what"
            + " the part on speed says.")
        .formatted(commit, machine);
  }

  private String markdown(Figures figures) {
    StringBuilder text = new StringBuilder("# Simulated: LLM-Mesh beside exclusive devices\n\n");
    text.append(about()).append("\n");
    for (Figures.Table table : figures.tables()) {
      text.append("\n## ").append(table.title()).append("\n\n");
      text.append(table.note()).append(table.note().isEmpty() ? "| " : "\n\n| ");
      text.append(String.join(" | ", table.headings())).append(" |\n");
      text.append("|---".repeat(table.headings().size())).append("|\n");
      table.rows().forEach(row -> text.append("| ").append(String.join(" | ", row)).append(" |\n"));
    }
    return text.toString();
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
