package dev.weft.platform.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.Console;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// What people read: tables, sizes, durations. Scripts read JSON instead.
final class Terminal {
  private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB"};

  private Terminal() {}

  /// Columns padded to their widest cell; the first row is the heading.
  static String table(List<List<String>> rows) {
    int columns = rows.getFirst().size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int column = 0; column < columns; column++) {
        widths[column] = Math.max(widths[column], row.get(column).length());
      }
    }
    var text = new StringBuilder();
    for (List<String> row : rows) {
      var line = new StringBuilder();
      for (int column = 0; column < columns; column++) {
        String cell = row.get(column);
        line.append(cell).repeat(' ', widths[column] - cell.length() + 3);
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }

  static String json(Object value) {
    try {
      return ApiClient.JSON.writerWithDefaultPrettyPrinter().writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not JSON: " + value, e);
    }
  }

  /// `1536` is `1.5 KiB`.
  static String bytes(long bytes) {
    double value = bytes;
    int unit = 0;
    while (value >= 1024 && unit < UNITS.length - 1) {
      value /= 1024;
      unit++;
    }
    return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.1f %s", value, UNITS[unit]);
  }

  /// Seconds as `42s`, `3m10s`, `2h05m`, `4d`.
  static String seconds(long seconds) {
    if (seconds < 60) {
      return seconds + "s";
    }
    if (seconds < 3600) {
      return "%dm%02ds".formatted(seconds / 60, seconds % 60);
    }
    return seconds < 86_400
        ? "%dh%02dm".formatted(seconds / 3600, seconds % 3600 / 60)
        : seconds / 86_400 + "d";
  }

  static boolean interactive() {
    return Optional.ofNullable(System.console()).filter(Console::isTerminal).isPresent();
  }

  /// Replaces the line being shown on an interactive terminal.
  static void rewrite(PrintStream out, String line) {
    out.print("\r\u001b[K" + line);
    out.flush();
  }
}
