package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.platform.simulation.Runs.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/// What simulated runs came to, side by side, for people.
public final class RunTable {
  private RunTable() {}

  /// A row a quantity, a column a run; the first column has the names.
  public static List<List<String>> of(List<Run> runs) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(row("", runs, run -> run.configuration().policy()));
    rows.add(row("devices", runs, run -> run.configuration().devices()));
    rows.add(row("requests", runs, run -> count(run.result().requests())));
    rows.add(row("SLO met", runs, run -> met(run.result(), run.result().sloMet())));
    rows.add(
        row("without cold starts", runs, run -> met(run.result(), run.result().sloMetStrict())));
    rows.add(row("given up", runs, run -> count(run.result().dropped())));
    rows.add(row("first token late", runs, run -> count(run.result().firstLate())));
    rows.add(row("other tokens slow", runs, run -> count(run.result().othersSlow())));
    rows.add(row("memory over-commits", runs, run -> count(run.result().overCommits())));
    rows.add(row("worst function", runs, run -> percent(run.result().worstFunctionShare())));
    rows.add(row("devices used", runs, run -> decimal(run.result().devicesUsedMean())));
    rows.add(row("memory used", runs, run -> percent(run.result().memoryShareMean())));
    rows.add(row("mean batch", runs, run -> decimal(run.result().batchMean())));
    rows.add(row("TTFT p50, s", runs, run -> decimal(run.result().ttftP50Seconds())));
    rows.add(row("TTFT p99, s", runs, run -> decimal(run.result().ttftP99Seconds())));
    rows.add(row("loads", runs, run -> count(run.result().loads())));
    rows.add(row("evicted requests", runs, run -> count(run.result().evictions())));
    rows.add(row("waited for a place, s", runs, run -> decimal(run.result().waits().placing())));
    rows.add(row("waited for loads, s", runs, run -> decimal(run.result().waits().cold())));
    rows.add(row("waited in queues, s", runs, run -> decimal(run.result().waits().queued())));
    return rows;
  }

  private static List<String> row(String name, List<Run> runs, Function<Run, String> cell) {
    List<String> row = new ArrayList<>();
    row.add(name);
    runs.forEach(run -> row.add(cell.apply(run)));
    return row;
  }

  private static String met(SimulationResult result, long met) {
    return "%s (%s)".formatted(count(met), percent((double) met / Math.max(1, result.requests())));
  }

  private static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  private static String decimal(double value) {
    return String.format(Locale.ROOT, "%,.2f", value);
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }
}
