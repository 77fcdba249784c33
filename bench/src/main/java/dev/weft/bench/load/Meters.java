package dev.weft.bench.load;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A reading of a server's meters in Prometheus' text format.
public record Meters(Map<String, Double> values) {
  public Meters {
    values = Map.copyOf(values);
  }

  static Meters parse(String text) {
    Map<String, Double> values = new HashMap<>();
    for (String line : text.lines().toList()) {
      int space = line.lastIndexOf(' ');
      if (!line.startsWith("#") && space > 0) {
        values.put(line.substring(0, space), number(line.substring(space + 1)));
      }
    }
    return new Meters(values);
  }

  /// A number as Go writes it: an instance without requests has `+Inf` seconds of headroom.
  private static double number(String text) {
    return Double.parseDouble(text.replace("Inf", "Infinity"));
  }

  /// The sum of all meters of that name whose labels hold each of the texts.
  public double sum(String name, String... labels) {
    return values.entrySet().stream()
        .filter(entry -> entry.getKey().equals(name) || entry.getKey().startsWith(name + "{"))
        .filter(entry -> List.of(labels).stream().allMatch(entry.getKey()::contains))
        .mapToDouble(Map.Entry::getValue)
        .sum();
  }
}
