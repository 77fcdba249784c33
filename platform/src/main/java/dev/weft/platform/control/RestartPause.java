package dev.weft.platform.control;

import java.time.Duration;

/// How long to wait before a runtime process is started again.
final class RestartPause {
  private static final Duration FIRST = Duration.ofMillis(500);
  private static final Duration LAST = Duration.ofSeconds(30);

  private RestartPause() {}

  /// Nothing after the first failure in a row, then doubling.
  static Duration after(int failures) {
    if (failures <= 1) {
      return Duration.ZERO;
    }
    Duration pause = FIRST.multipliedBy(1L << Math.min(failures - 2, 10));
    return pause.compareTo(LAST) < 0 ? pause : LAST;
  }
}
