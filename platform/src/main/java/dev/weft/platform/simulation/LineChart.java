package dev.weft.platform.simulation;

import java.util.List;
import java.util.Locale;

/// Lines over a common axis as an SVG element, for a page that defines its classes: `axis`, `grid`,
/// and `s0` to `s7` for the series, as lines and, with `k`, as their keys' fill.
final class LineChart {
  static final int WIDTH = 560;
  private static final int HEIGHT = 260;
  private static final int LEFT = 58;
  private static final int RIGHT = 12;
  private static final int TOP = 34;
  private static final int BOTTOM = 40;
  private static final int KEY_HEIGHT = 18;
  private static final int KEYS_A_ROW = 3;

  private LineChart() {}

  /// @param unit of the vertical axis
  /// @param across what the horizontal axis is
  static String of(String title, String unit, String across, List<Line> lines) {
    double mostX = most(lines, true);
    double mostY = nice(most(lines, false));
    int keys = Math.ceilDiv(lines.size(), KEYS_A_ROW) * KEY_HEIGHT;
    StringBuilder svg = new StringBuilder();
    svg.append(
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n"
            .formatted(WIDTH, HEIGHT + keys, escape(title)));
    text(svg, LEFT, 16, "title", title + ", " + unit);
    for (int i = 0; i <= 4; i++) {
      double y = y(mostY * i / 4, mostY);
      svg.append(
          "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%s\" y2=\"%s\"/>\n"
              .formatted(LEFT, WIDTH - RIGHT, number(y), number(y)));
      text(svg, 4, y + 4, "axis", label(mostY * i / 4));
      text(svg, x(mostX * i / 4, mostX) - 10, HEIGHT - 22, "axis", label(mostX * i / 4));
    }
    text(svg, LEFT, HEIGHT - 5, "axis", across);
    for (int i = 0; i < lines.size(); i++) {
      line(svg, lines.get(i), i, mostX, mostY);
      int keyX = LEFT + i % KEYS_A_ROW * 165;
      int keyY = HEIGHT + 4 + i / KEYS_A_ROW * KEY_HEIGHT;
      svg.append(
          "<rect class=\"s%dk\" x=\"%d\" y=\"%d\" width=\"12\" height=\"8\"/>\n"
              .formatted(i % 8, keyX, keyY));
      text(svg, keyX + 17, keyY + 8, "axis", lines.get(i).name());
    }
    return svg.append("</svg>\n").toString();
  }

  private static void line(StringBuilder svg, Line line, int number, double mostX, double mostY) {
    svg.append("<polyline class=\"s%d\" points=\"".formatted(number % 8));
    for (Point point : line.points()) {
      svg.append(number(x(point.x(), mostX))).append(',').append(number(y(point.y(), mostY)));
      svg.append(' ');
    }
    svg.append("\"/>\n");
    for (Point point : line.points()) {
      if (point.most() > point.least()) {
        svg.append(
            "<line class=\"s%d\" x1=\"%s\" x2=\"%s\" y1=\"%s\" y2=\"%s\"/>\n"
                .formatted(
                    number % 8,
                    number(x(point.x(), mostX)),
                    number(x(point.x(), mostX)),
                    number(y(point.least(), mostY)),
                    number(y(point.most(), mostY))));
      }
    }
  }

  private static double most(List<Line> lines, boolean across) {
    return lines.stream()
        .flatMap(line -> line.points().stream())
        .mapToDouble(point -> across ? point.x() : Math.max(point.y(), point.most()))
        .max()
        .orElse(1);
  }

  /// The next of 1, 2, 4, 5, 8 times a power of ten.
  private static double nice(double value) {
    double power = Math.pow(10, Math.floor(Math.log10(Math.max(1e-9, value))));
    for (double step : new double[] {1, 2, 4, 5, 8}) {
      if (value <= step * power) {
        return step * power;
      }
    }
    return 10 * power;
  }

  private static double x(double value, double most) {
    return LEFT + value / Math.max(1e-9, most) * (WIDTH - LEFT - RIGHT);
  }

  private static double y(double value, double most) {
    return HEIGHT - BOTTOM - value / Math.max(1e-9, most) * (HEIGHT - TOP - BOTTOM);
  }

  private static void text(StringBuilder svg, double x, double y, String type, String text) {
    svg.append(
        "<text class=\"%s\" x=\"%s\" y=\"%s\">%s</text>\n"
            .formatted(type, number(x), number(y), escape(text)));
  }

  private static String label(double value) {
    return value >= 100 || value == Math.rint(value)
        ? String.format(Locale.ROOT, "%,.0f", value)
        : String.format(Locale.ROOT, "%.2f", value);
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }

  /// A series.
  record Line(String name, List<Point> points) {
    Line {
      points = List.copyOf(points);
    }
  }

  /// A value with the least and the most of its samples.
  record Point(double x, double y, double least, double most) {
    Point(double x, double y) {
      this(x, y, y, y);
    }
  }
}
