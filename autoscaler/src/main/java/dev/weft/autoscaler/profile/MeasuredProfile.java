package dev.weft.autoscaler.profile;

import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import java.util.List;

/// A table of measurements, interpolated: prefill over the prompt's length, decode over batch and
/// mean context. Immutable, and free of allocation when asked.
public final class MeasuredProfile implements StepTimes {
  private static final double NANOS_PER_MILLI = 1e6;

  private final Curve prefill;
  private final double[] contexts;
  private final Curve[] decode;

  public MeasuredProfile(PerformanceTable table) {
    List<PrefillTime> prompts = table.prefill();
    this.prefill =
        new Curve(
            prompts.stream().mapToDouble(PrefillTime::tokens).toArray(),
            prompts.stream().mapToDouble(PrefillTime::millis).toArray());
    this.contexts = table.decode().stream().mapToDouble(DecodeRow::context).toArray();
    this.decode =
        table.decode().stream()
            .map(row ->
                new Curve(
                    row.times().stream().mapToDouble(DecodeTime::batch).toArray(),
                    row.times().stream().mapToDouble(DecodeTime::millis).toArray()))
            .toArray(Curve[]::new);
  }

  @Override
  public long prefillNanos(long tokens) {
    return tokens <= 0 ? 0 : Math.round(prefill.at((double) tokens) * NANOS_PER_MILLI);
  }

  @Override
  public long decodeNanos(int batch, long contextTokens) {
    if (batch <= 0) {
      return 0;
    }
    return Math.round(decodeMillis(batch, (double) contextTokens / batch) * NANOS_PER_MILLI);
  }

  private double decodeMillis(int batch, double context) {
    int last = contexts.length - 1;
    if (context <= contexts[0]) {
      return decode[0].at(batch);
    }
    if (context >= contexts[last]) {
      double edge = decode[last].at(batch);
      double proportion = edge / contexts[last];
      double slope =
          last == 0
              ? proportion
              : (edge - decode[last - 1].at(batch)) / (contexts[last] - contexts[last - 1]);
      return edge + (context - contexts[last]) * Math.max(proportion, slope);
    }
    int right = 1;
    while (contexts[right] < context) {
      right++;
    }
    double low = decode[right - 1].at(batch);
    double part = (context - contexts[right - 1]) / (contexts[right] - contexts[right - 1]);
    return low + part * (decode[right].at(batch) - low);
  }
}
