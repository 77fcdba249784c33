package dev.weft.functions.instance;

import java.util.List;

/// How long the steps of one model take on one device, as measured.
///
/// @param prefill time of a prompt by its length, shortest first
/// @param decode time of a decode step, by the mean context of its sequences, shortest first
public record PerformanceTable(List<PrefillTime> prefill, List<DecodeRow> decode) {
  public PerformanceTable {
    prefill = List.copyOf(prefill);
    decode = List.copyOf(decode);
    if (prefill.isEmpty() || decode.isEmpty()) {
      throw new IllegalArgumentException("a performance table without a measurement");
    }
    requireAscending("prefill tokens", prefill.stream().mapToInt(PrefillTime::tokens).toArray());
    requireAscending("decode contexts", decode.stream().mapToInt(DecodeRow::context).toArray());
  }

  private static void requireAscending(String what, int[] values) {
    for (int i = 0; i < values.length; i++) {
      if (values[i] < 1 || (i > 0 && values[i] <= values[i - 1])) {
        throw new IllegalArgumentException(
            "%s are not positive and ascending at %d".formatted(what, values[i]));
      }
    }
  }

  private static void requireTime(double millis) {
    if (!(millis > 0) || Double.isInfinite(millis)) {
      throw new IllegalArgumentException("not a step's time: %s ms".formatted(millis));
    }
  }

  /// A whole prompt in one step.
  public record PrefillTime(int tokens, double millis) {
    public PrefillTime {
      requireTime(millis);
    }
  }

  /// Steps of sequences that are `context` tokens long on average, smallest batch first.
  public record DecodeRow(int context, List<DecodeTime> times) {
    public DecodeRow {
      times = List.copyOf(times);
      if (times.isEmpty()) {
        throw new IllegalArgumentException("no decode step of context %d".formatted(context));
      }
      requireAscending("batches", times.stream().mapToInt(DecodeTime::batch).toArray());
    }
  }

  /// One token for each sequence of a batch.
  public record DecodeTime(int batch, double millis) {
    public DecodeTime {
      requireTime(millis);
    }
  }
}
