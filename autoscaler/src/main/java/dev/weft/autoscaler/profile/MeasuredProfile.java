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

  /// The same at each batch that was measured or lies between, by row.
  private final double[][] decodeAt;

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
    this.decodeAt =
        table.decode().stream()
            .map(row -> row.times().getLast().batch())
            .map(most -> new double[most + 1])
            .toArray(double[][]::new);
    for (int row = 0; row < decode.length; row++) {
      for (int batch = 0; batch < decodeAt[row].length; batch++) {
        decodeAt[row][batch] = decode[row].at(batch);
      }
    }
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
      return decodeMillis(0, batch);
    }
    if (context >= contexts[last]) {
      double edge = decodeMillis(last, batch);
      double proportion = edge / contexts[last];
      double slope =
          last == 0
              ? proportion
              : (edge - decodeMillis(last - 1, batch)) / (contexts[last] - contexts[last - 1]);
      return edge + (context - contexts[last]) * Math.max(proportion, slope);
    }
    int right = 1;
    while (contexts[right] < context) {
      right++;
    }
    double low = decodeMillis(right - 1, batch);
    double part = (context - contexts[right - 1]) / (contexts[right] - contexts[right - 1]);
    return low + part * (decodeMillis(right, batch) - low);
  }

  private double decodeMillis(int row, int batch) {
    return batch < decodeAt[row].length ? decodeAt[row][batch] : decode[row].at(batch);
  }
}
