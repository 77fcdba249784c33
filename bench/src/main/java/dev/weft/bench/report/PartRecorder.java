package dev.weft.bench.report;

import dev.weft.bench.Spread;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/// Gathers what a part measures.
public final class PartRecorder {
  private record Row(String label, String quantity) {}

  private final Map<Row, Series> series = new LinkedHashMap<>();
  private final List<Finding> findings = new ArrayList<>();
  private final List<String> remarks = new ArrayList<>();

  /// Adds a measurement. `digits` are those after the point.
  public void add(String label, String quantity, int digits, String subject, double value) {
    System.err.printf(
        java.util.Locale.ROOT,
        "  %s | %s | %s: %." + digits + "f%n",
        label,
        quantity,
        subject,
        value);
    series
        .computeIfAbsent(
            new Row(label, quantity),
            row -> new Series(row.label(), row.quantity(), digits, new LinkedHashMap<>()))
        .samples()
        .computeIfAbsent(subject, _ -> new ArrayList<>())
        .add(value);
  }

  /// The median of what was added, where something was.
  public OptionalDouble median(String label, String quantity, String subject) {
    Series row = series.get(new Row(label, quantity));
    return row == null || !row.samples().containsKey(subject)
        ? OptionalDouble.empty()
        : OptionalDouble.of(Spread.of(row.samples().get(subject)).median());
  }

  public void find(Finding finding) {
    findings.add(finding);
  }

  public void remark(String sentence) {
    if (!remarks.contains(sentence)) {
      remarks.add(sentence);
    }
  }

  public PartResult result(String part, String title, Map<String, String> setting) {
    return new PartResult(
        part, title, setting, List.copyOf(series.values()), List.copyOf(findings), remarks);
  }
}
