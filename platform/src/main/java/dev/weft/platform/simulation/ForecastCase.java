package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.ForecastCheck;
import dev.weft.autoscaler.simulation.Trace;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// How well it is told beforehand that KV memory will not do, on one trace in one setting.
record ForecastCase(String trace, ForecastCheck.Setting setting, ForecastCheck.Outcome outcome) {
  static final List<String> HEADINGS =
      List.of(
          "trace",
          "admitted by",
          "confidence",
          "moments",
          "memory ran out",
          "missed, of moments told none",
          "missed, of those it ran out",
          "false alarms, of those it did not",
          "lead, s (median)");

  private static final long TOKEN_NANOS = 50_000_000;

  /// A trace in all settings. The pool holds twenty prompts of its mean length, which its requests
  /// fill, and overfill as they grow.
  static List<ForecastCase> of(String name, Trace trace) {
    double prompt = trace.calls().stream().mapToInt(Trace.Call::promptTokens).average().orElse(1);
    long capacity = Math.round(20 * prompt);
    List<ForecastCase> cases = new ArrayList<>();
    for (boolean foresees : new boolean[] {false, true}) {
      for (double confidence : new double[] {0.9, 0.95, 0.99, 1}) {
        var setting =
            new ForecastCheck.Setting(capacity, TOKEN_NANOS, confidence, confidence == 1, foresees);
        cases.add(new ForecastCase(name, setting, ForecastCheck.run(trace, setting)));
      }
    }
    return cases;
  }

  List<String> row() {
    return Arrays.asList(
        trace,
        setting.foresees() ? "forecast" : "prompt",
        setting.bounded() ? "bounded by max_tokens" : "%.2f".formatted(setting.confidence()),
        count(outcome.moments()),
        count(outcome.events()),
        share(outcome.missShare()),
        share(outcome.missedEventShare()),
        share(outcome.falseAlarmShare()),
        String.format(Locale.ROOT, "%.2f", outcome.leadSeconds()));
  }

  private static String count(int value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  private static String share(double value) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * value);
  }
}
