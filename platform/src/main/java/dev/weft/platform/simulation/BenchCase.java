package dev.weft.platform.simulation;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.functions.Json;
import dev.weft.platform.simulation.Runs.Configuration;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// A configuration that was simulated with some seeds.
///
/// @param part of the bench that it belongs to
/// @param trace the trace's name
/// @param label what is said of it in tables
record BenchCase(
    String part,
    String trace,
    String label,
    Configuration configuration,
    List<SimulationResult> results) {
  BenchCase {
    results = List.copyOf(results);
  }

  double median(ToDoubleFunction<SimulationResult> value) {
    double[] sorted = sorted(value);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  double least(ToDoubleFunction<SimulationResult> value) {
    return sorted(value)[0];
  }

  double most(ToDoubleFunction<SimulationResult> value) {
    double[] sorted = sorted(value);
    return sorted[sorted.length - 1];
  }

  private double[] sorted(ToDoubleFunction<SimulationResult> value) {
    double[] values = results.stream().mapToDouble(value).toArray();
    Arrays.sort(values);
    return values;
  }

  /// Functions that had requests and none of them met.
  static double starved(SimulationResult result) {
    return result.functions().stream().filter(function -> function.met() == 0).count();
  }

  /// Everything, but the samples over time for the first seed alone.
  ObjectNode json() {
    ObjectNode node = Json.mapper().createObjectNode();
    node.put("part", part).put("trace", trace).put("label", label);
    node.set("configuration", Json.mapper().valueToTree(configuration));
    var seeds = node.putArray("seeds");
    for (int i = 0; i < results.size(); i++) {
      ObjectNode one = Json.mapper().valueToTree(results.get(i));
      if (i > 0) {
        one.remove(List.of("samples", "minutes", "functions"));
      }
      seeds.add(one);
    }
    return node;
  }
}
