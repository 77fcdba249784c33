package dev.weft.functions;

import java.util.Locale;

/// Byte counts as people read them: `512 B`, `3.2 MiB`, `13.4 GiB`.
public final class ByteSize {
  private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

  private ByteSize() {}

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
