package dev.weft.bench.report;

import dev.weft.bench.Spread;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Horizontal bars of medians, grouped by label, a colour each subject, with a line from the
/// smallest to the largest. The SVG follows the viewer's light or dark scheme by itself.
final class BarChart {
  private static final int WIDTH = 860;
  private static final int LABELS = 220;
  private static final int VALUES = 190;
  private static final int BAR = 16;
  private static final int GAP = 14;
  private static final int TOP = 40;

  /// Distinct for the colour-blind as well (Okabe and Ito), and on both backgrounds.
  private static final List<String> COLOURS =
      List.of("#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#999999");

  private static final String STYLE =
      """
      <style>
        text { font: 13px system-ui, sans-serif; fill: #222; }
        .title { font-weight: 600; font-size: 15px; }
        .line { stroke: #222; stroke-width: 1.5; }
        .paper { fill: #fff; }
        @media (prefers-color-scheme: dark) {
          text { fill: #ddd; }
          .line { stroke: #ddd; }
          .paper { fill: #16181d; }
        }
      </style>
      """;

  private final StringBuilder svg = new StringBuilder();
  private final double scale;
  private int y = TOP;

  private BarChart(double largest) {
    this.scale = (WIDTH - LABELS - VALUES) / (largest <= 0 ? 1 : largest);
  }

  /// @param subjects in the order of colours
  static String of(String title, List<Series> series, List<String> subjects) {
    double largest =
        series.stream()
            .flatMap(row -> row.samples().values().stream())
            .mapToDouble(values -> Spread.of(values).largest())
            .max()
            .orElse(1);
    BarChart chart = new BarChart(largest);
    series.forEach(row -> chart.group(row, subjects));
    return chart.document(title);
  }

  private void group(Series row, List<String> subjects) {
    line("<text x=\"8\" y=\"%d\">%s</text>".formatted(y + 13, escape(row.label())));
    for (Map.Entry<String, List<Double>> entry : row.samples().entrySet()) {
      bar(row, entry.getKey(), Spread.of(entry.getValue()), subjects.indexOf(entry.getKey()));
    }
    y += GAP;
  }

  private void bar(Series row, String subject, Spread spread, int index) {
    double length = spread.median() * scale;
    int middle = y + BAR / 2;
    String colour = COLOURS.get(index % COLOURS.size());
    line(
        "<rect x=\"%d\" y=\"%d\" width=\"%s\" height=\"%d\" fill=\"%s\"/>"
            .formatted(LABELS, y, number(Math.max(0.5, length)), BAR - 3, colour));
    line(
        "<line class=\"line\" x1=\"%s\" y1=\"%d\" x2=\"%s\" y2=\"%d\"/>"
            .formatted(
                number(LABELS + spread.smallest() * scale),
                middle - 1,
                number(LABELS + spread.largest() * scale),
                middle - 1));
    String value = String.format(Locale.ROOT, "%." + row.digits() + "f", spread.median());
    line(
        "<text x=\"%s\" y=\"%d\">%s</text>"
            .formatted(
                number(LABELS + spread.largest() * scale + 6),
                y + 12,
                escape(value + "  " + subject)));
    y += BAR;
  }

  private String document(String title) {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
            .formatted(WIDTH, y, WIDTH)
        + " role=\"img\" aria-label=\"%s\">%n".formatted(escape(title))
        + STYLE
        + "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n"
        + "<text class=\"title\" x=\"8\" y=\"22\">"
        + escape(title)
        + "</text>\n"
        + svg
        + "</svg>\n";
  }

  private void line(String element) {
    svg.append(element).append('\n');
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }
}
