package dev.weft.bench.report;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.weft.bench.Spread;
import dev.weft.bench.report.Finding.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// A directory of results: `<part>.json` for each part that was run, `bounds.json` (by hand: what
/// bounds a figure that missed its target, and the next idea, by the finding's key), and what is
/// made of them: `results.md` and `<part>-<n>.svg`.
public final class Results {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
  private static final String BOUNDS = "bounds.json";

  private final String title;
  private final Path directory;
  private final List<String> order;

  /// @param title of the report
  /// @param order the parts' names in the order to show them
  public Results(String title, Path directory, List<String> order) {
    this.title = title;
    this.directory = directory;
    this.order = List.copyOf(order);
  }

  /// Keeps a part's result, in place of an earlier one.
  public void save(PartResult result) throws IOException {
    Files.createDirectories(directory);
    JSON.writeValue(directory.resolve(result.part() + ".json").toFile(), result);
  }

  /// Writes `results.md` and the plots from what lies in the directory.
  public void render() throws IOException {
    Map<String, String> bounds = bounds();
    List<PartResult> parts = new ArrayList<>();
    for (String part : order) {
      Path file = directory.resolve(part + ".json");
      if (Files.exists(file)) {
        parts.add(JSON.readValue(file.toFile(), PartResult.class));
      }
    }
    StringBuilder text = new StringBuilder("# ").append(title).append('\n');
    text.append(
        """

        Medians, smallest and largest in brackets. In each round every subject is measured in turn;
        a machine's speed drifts, so that only ratios within one run mean something. Every sample
        is in the JSON files beside this one.

        ## Against the targets

        | | figure | target | | what bounds it |
        |---|---|---|---|---|
        """);
    for (PartResult part : parts) {
      part.findings().forEach(finding -> text.append(row(finding, bounds)));
    }
    for (String part : order) {
      if (parts.stream().noneMatch(each -> each.part().equals(part))) {
        text.append("| part `%s` | | | not run | |%n".formatted(part));
      }
    }
    for (PartResult part : parts) {
      section(part, text);
    }
    Files.writeString(directory.resolve("results.md"), text);
  }

  private Map<String, String> bounds() throws IOException {
    Path file = directory.resolve(BOUNDS);
    return Files.exists(file)
        ? JSON.readValue(file.toFile(), new TypeReference<TreeMap<String, String>>() {})
        : Map.of();
  }

  private static String row(Finding finding, Map<String, String> bounds) {
    String bound = bounds.getOrDefault(finding.key(), "");
    if (bound.isEmpty() && finding.verdict() == Verdict.MISSED) {
      bound = "to be found (`%s` in `%s`)".formatted(finding.key(), BOUNDS);
    }
    String verdict =
        switch (finding.verdict()) {
          case MET -> "met";
          case MISSED -> "**missed**";
          case REPORTED -> "reported";
          case NOT_MEASURED -> "not measured";
        };
    return "| %s | %s | %s | %s | %s |%n"
        .formatted(finding.what(), finding.figure(), finding.target(), verdict, bound);
  }

  private void section(PartResult part, StringBuilder text) throws IOException {
    text.append("\n## ").append(part.title()).append("\n\n");
    part.setting().forEach((name, value) -> text.append("- %s: %s%n".formatted(name, value)));
    part.remarks().forEach(remark -> text.append("- ").append(remark).append('\n'));
    Map<String, List<Series>> quantities =
        part.series().stream()
            .collect(
                Collectors.groupingBy(Series::quantity, LinkedHashMap::new, Collectors.toList()));
    List<String> subjects = subjects(part.series());
    int number = 0;
    for (Map.Entry<String, List<Series>> quantity : quantities.entrySet()) {
      String file = "%s-%d.svg".formatted(part.part(), ++number);
      String title = part.title() + ": " + quantity.getKey();
      Files.writeString(directory.resolve(file), BarChart.of(title, quantity.getValue(), subjects));
      text.append("\n### %s%n%n![%s](%s)%n%n".formatted(quantity.getKey(), title, file));
      table(quantity.getValue(), text);
    }
  }

  private static List<String> subjects(List<Series> series) {
    Set<String> subjects = new LinkedHashSet<>();
    series.forEach(row -> subjects.addAll(row.samples().keySet()));
    return List.copyOf(subjects);
  }

  private static void table(List<Series> series, StringBuilder text) {
    List<String> subjects = subjects(series);
    text.append("| | ").append(String.join(" | ", subjects)).append(" |\n|---|");
    text.append("---|".repeat(subjects.size())).append('\n');
    for (Series row : series) {
      text.append("| ").append(row.label());
      for (String subject : subjects) {
        text.append(" | ").append(cell(row, subject));
      }
      text.append(" |\n");
    }
  }

  private static String cell(Series row, String subject) {
    List<Double> samples = row.samples().get(subject);
    if (samples == null) {
      return "";
    }
    Spread spread = Spread.of(samples);
    String number = "%." + row.digits() + "f";
    return spread.count() == 1
        ? String.format(Locale.ROOT, number, spread.median())
        : String.format(
            Locale.ROOT,
            number + " (" + number + " to " + number + ")",
            spread.median(),
            spread.smallest(),
            spread.largest());
  }
}
