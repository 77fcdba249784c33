package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.autoscaler.simulation.SimulationResult.Sample;
import dev.weft.platform.simulation.LineChart.Line;
import dev.weft.platform.simulation.LineChart.Point;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/// What simulations came to as one page that needs nothing else: plots and tables, in the viewer's
/// light or dark scheme.
final class SimulationPage {
  private static final String STYLE =
      """
      :root { color-scheme: light dark; --ink: #1c2024; --paper: #fff; --soft: #d4d8dd;
        --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #7a5195; --c4: #b8860b; --c5: #555;
        --c6: #c2185b; --c7: #00838f; }
      @media (prefers-color-scheme: dark) {
        :root { --ink: #e4e7eb; --paper: #16181d; --soft: #3a3f47; --c0: #56b4e9; --c1: #ff9e5e;
          --c2: #4fd1a5; --c3: #c9a0e8; --c4: #f0c95a; --c5: #aaa; --c6: #ff7aa8; --c7: #5fd4e0; }
      }
      body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
        max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }
      .plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr));
        gap: 1.5rem; }
      svg { width: 100%; height: auto; }
      text { fill: var(--ink); font: 11px system-ui, sans-serif; }
      .title { font-weight: 600; font-size: 13px; }
      .grid { stroke: var(--soft); stroke-width: 1; }
      polyline { fill: none; stroke-width: 2; }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
      th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--soft); text-align: right;
        white-space: nowrap; }
      """;

  private SimulationPage() {}

  static String of(String about, Figures figures) {
    StringBuilder page = new StringBuilder();
    page.append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    page.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.append("<title>Weft, simulated</title>\n<style>\n").append(STYLE);
    for (int i = 0; i < 8; i++) {
      page.append(
          ".s%d { stroke: var(--c%d); } .s%dk { fill: var(--c%d); }\n".formatted(i, i, i, i));
    }
    page.append("</style></head><body>\n<h1>LLM-Mesh beside exclusive devices, simulated</h1>\n");
    page.append("<p>").append(LineChart.escape(about)).append("</p>\n");
    List<BenchCase> table = figures.part(SimulationBench.TABLE);
    if (!table.isEmpty()) {
      page.append("<div class=\"plots\">\n");
      for (String model : models(table)) {
        page.append(overLoad(table, model, "SLO met", "requests", SimulationResult::sloMet));
        page.append(
            overLoad(table, model, "devices used", "mean", SimulationResult::devicesUsedMean));
        page.append(overLoad(table, model, "waited", "hours", SimulationPage::waited));
        page.append(overTime(table, model, "devices used", "", s -> s.cpus() + s.gpus()));
        page.append(overTime(table, model, "memory held", "share", Sample::memoryShare));
        page.append(overTime(table, model, "batch", "requests an instance", Sample::batch));
        page.append(waits(table, model));
      }
      page.append("</div>\n");
    }
    figures.tables().forEach(each -> page.append(table(each)));
    return page.append("</body></html>\n").toString();
  }

  private static List<String> models(List<BenchCase> cases) {
    return cases.stream().map(each -> each.configuration().model()).distinct().toList();
  }

  private static double waited(SimulationResult result) {
    return (result.waits().placing() + result.waits().queued()) / 3_600;
  }

  private static String overLoad(
      List<BenchCase> cases,
      String model,
      String what,
      String unit,
      ToDoubleFunction<SimulationResult> value) {
    List<Line> lines = new ArrayList<>();
    for (String label : cases.stream().map(BenchCase::label).distinct().toList()) {
      lines.add(
          new Line(
              label,
              cases.stream()
                  .filter(each ->
                      each.label().equals(label) && each.configuration().model().equals(model))
                  .sorted((a, b) ->
                      Integer.compare(a.configuration().functions(), b.configuration().functions()))
                  .map(each ->
                      new Point(
                          each.results().getFirst().requests(),
                          each.median(value),
                          each.least(value),
                          each.most(value)))
                  .toList()));
    }
    return LineChart.of(model + ": " + what, unit, "requests in all", lines);
  }

  /// Of the most functions, the first seed.
  private static String overTime(
      List<BenchCase> cases,
      String model,
      String what,
      String unit,
      ToDoubleFunction<Sample> value) {
    List<Line> lines = new ArrayList<>();
    for (BenchCase each : largest(cases, model)) {
      lines.add(
          new Line(
              each.label(),
              each.results().getFirst().samples().stream()
                  .map(sample -> new Point(sample.seconds() / 60, value.applyAsDouble(sample)))
                  .toList()));
    }
    return LineChart.of(model + ": " + what + " over time", unit, "minutes", lines);
  }

  private static List<BenchCase> largest(List<BenchCase> cases, String model) {
    int most = cases.stream().mapToInt(each -> each.configuration().functions()).max().orElse(0);
    return cases.stream()
        .filter(each -> each.configuration().functions() == most)
        .filter(each -> each.configuration().model().equals(model))
        .toList();
  }

  private static String waits(List<BenchCase> cases, String model) {
    StringBuilder text = new StringBuilder("<div class=\"scroll\"><h3>");
    text.append(model).append(": where requests waited, seconds each</h3>\n<table><tr><th></th>");
    text.append("<th>for a place</th><th>for their turn</th><th>of these, loads</th></tr>\n");
    for (BenchCase each : largest(cases, model)) {
      text.append("<tr><th>").append(LineChart.escape(each.label())).append("</th>");
      text.append(cell(each, result -> result.waits().placing()));
      text.append(cell(each, result -> result.waits().queued()));
      text.append(cell(each, result -> result.waits().cold())).append("</tr>\n");
    }
    return text.append("</table></div>\n").toString();
  }

  private static String cell(BenchCase each, ToDoubleFunction<SimulationResult> seconds) {
    double value = each.median(r -> seconds.applyAsDouble(r) / Math.max(1, r.requests()));
    return String.format(Locale.ROOT, "<td>%.2f</td>", value);
  }

  private static String table(Figures.Table table) {
    StringBuilder text = new StringBuilder("<h2>").append(table.title()).append("</h2>\n");
    text.append("<p>").append(LineChart.escape(table.note())).append("</p>\n");
    text.append("<div class=\"scroll\"><table>\n<tr>");
    table.headings().forEach(heading -> text.append("<th>").append(heading));
    for (List<String> row : table.rows()) {
      text.append("\n<tr>");
      for (String cell : row) {
        text.append("<td>").append(LineChart.escape(cell));
      }
    }
    return text.append("\n</table></div>\n").toString();
  }
}
