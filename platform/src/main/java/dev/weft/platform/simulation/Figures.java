package dev.weft.platform.simulation;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.Json;
import java.util.ArrayList;
import java.util.List;

/// Everything that was simulated so far.
final class Figures {
  final List<BenchCase> cases = new ArrayList<>();
  final List<Purpose.Outcome> purposes = new ArrayList<>();
  final List<ForecastCase> forecasts = new ArrayList<>();
  final List<SpeedCase> speeds = new ArrayList<>();

  List<BenchCase> part(String part) {
    return cases.stream().filter(each -> each.part().equals(part)).toList();
  }

  /// All tables, those that have rows.
  List<Table> tables() {
    List<Table> tables = new ArrayList<>();
    for (String part : cases.stream().map(BenchCase::part).distinct().toList()) {
      List<List<String>> rows =
          part(part).stream().map(each -> SimulationReport.row(each, cases)).toList();
      tables.add(new Table(part, "", SimulationReport.HEADINGS, rows));
    }
    tables.add(
        new Table(
            SimulationBench.PURPOSES,
            "Each mechanism where it is for, and what is spent or lost without it.",
            Purpose.HEADINGS,
            purposes.stream().map(Purpose.Outcome::row).toList()));
    tables.add(
        new Table(
            SimulationBench.FORECAST,
            "A pool that is filled with prompts has less left than its sequences make in a second: most"
                + " moments are a close call, and to miss few of them is to tell of many. As the"
                + " platform admits, by what a request is expected to need, there is little to tell.",
            ForecastCase.HEADINGS,
            forecasts.stream().map(ForecastCase::row).toList()));
    tables.add(
        new Table(
            SimulationBench.SPEED,
            "More requests at the same rate. Processor time is that of all threads.",
            SpeedCase.HEADINGS,
            speeds.stream().map(SpeedCase::row).toList()));
    tables.removeIf(table -> table.rows.isEmpty());
    return tables;
  }

  ObjectNode json() {
    ObjectNode json = Json.mapper().createObjectNode();
    var all = json.putArray("cases");
    cases.forEach(each -> all.add(each.json()));
    var pairs = json.putArray("purposes");
    for (Purpose.Outcome each : purposes) {
      ObjectNode pair = pairs.addObject();
      pair.put("mechanism", each.purpose().name()).put("workload", each.purpose().workload());
      pair.put("figure", each.purpose().figure().label());
      pair.set("with", each.with().json());
      pair.set("without", each.without().json());
    }
    json.set("forecasts", Json.mapper().valueToTree(forecasts));
    var speed = json.putArray("speed");
    for (SpeedCase each : speeds) {
      ObjectNode one = speed.addObject();
      one.put("trace", each.trace()).put("devices", each.configuration().devices());
      one.put("processorSeconds", each.processor().toNanos() / 1e9);
      one.put("clockSeconds", each.wall().toNanos() / 1e9);
      one.put("requests", each.requests()).put("sloMet", each.sloMet());
      one.put("overCommits", each.overCommits());
    }
    return json;
  }

  /// Rows under headings.
  ///
  /// @param note what is said of them; may be empty
  record Table(String title, String note, List<String> headings, List<List<String>> rows) {}
}
