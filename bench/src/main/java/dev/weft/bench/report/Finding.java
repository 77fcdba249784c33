package dev.weft.bench.report;

/// A figure held to its target.
///
/// @param key stays the same from run to run: what bounds a figure is looked up by it
/// @param figure as text, with its unit
public record Finding(String key, String what, String figure, String target, Verdict verdict) {
  /// Whether the target is met.
  public enum Verdict {
    MET,
    MISSED,
    /// There is no target, or nothing to compare with.
    REPORTED,
    NOT_MEASURED
  }

  /// A figure that is to be at least so much.
  public static Finding atLeast(
      String key, String what, double figure, double target, String unit) {
    return new Finding(
        key, what, text(figure) + unit, ">= " + text(target) + unit, verdict(figure >= target));
  }

  /// A figure that is to be at most so much.
  public static Finding atMost(String key, String what, double figure, double target, String unit) {
    return new Finding(
        key, what, text(figure) + unit, "<= " + text(target) + unit, verdict(figure <= target));
  }

  public static Finding reported(String key, String what, String figure) {
    return new Finding(key, what, figure, "", Verdict.REPORTED);
  }

  public static Finding notMeasured(String key, String what, String why, String target) {
    return new Finding(key, what, why, target, Verdict.NOT_MEASURED);
  }

  public static Verdict verdict(boolean met) {
    return met ? Verdict.MET : Verdict.MISSED;
  }

  /// Three significant digits.
  public static String text(double value) {
    if (value == 0 || !Double.isFinite(value)) {
      return String.valueOf(value);
    }
    int digits = (int) Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
    return String.format(java.util.Locale.ROOT, "%." + Math.min(digits, 5) + "f", value);
  }
}
