package dev.weft.functions;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Byte counts as people read them, `512 B`, `3.2 MiB`, `13.4 GiB`, and write them: `512M`, `20G`.
public final class ByteSize {
  private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

  private static final Pattern WRITTEN = Pattern.compile("(\\d{1,9})([KMGT])");

  private ByteSize() {}

  /// @param name of the setting, for messages
  /// @param text a number with K, M, G or T
  public static long parse(String name, String text) {
    Matcher matcher = WRITTEN.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "%s '%s' is neither off nor a size such as 20G".formatted(name, text));
    }
    int shift = 10 * ("KMGT".indexOf(matcher.group(2)) + 1);
    return Long.parseLong(matcher.group(1)) << shift;
  }

  public static String format(long bytes) {
    if (Math.abs(bytes) < 1_024) {
      return bytes + " B";
    }
    double value = bytes / 1_024.0;
    int unit = 0;
    // 1,023.95 would be rounded to "1024.0".
    while (Math.abs(value) >= 1_023.95) {
      value /= 1_024.0;
      unit++;
    }
    return String.format(Locale.ROOT, "%.1f %s", value, UNITS[unit]);
  }
}
