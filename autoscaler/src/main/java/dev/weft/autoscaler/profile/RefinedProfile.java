package dev.weft.autoscaler.profile;

import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import java.util.Arrays;
import java.util.List;

/// A measured profile that follows the steps it sees, and adds a margin when decisions ask it.
///
/// It learns by how much to multiply the measured times: one factor each for prefill and decode,
/// which a device that became slow moves at once for all sizes, and one more for each power of two
/// of tokens or batch, for a table that is wrong in places. A step moves a factor by an eighth of
/// what the logarithm of its time is off, and counts as off by half at most: a single step that
/// took a hundred times as long moves it by 6 %, a device three times slower is followed within
/// twenty steps. No factor leaves `1/16` to `16`.
///
/// For one thread.
public final class RefinedProfile implements StepTimes {
  private static final double RATE = 1.0 / 8;
  private static final double PLACE_RATE = 1.0 / 32;
  private static final double MOST_OFF = 0.5;
  private static final double MOST = 16;
  private static final double BOUND = Math.log(MOST);
  private static final int PLACES = 20;

  private final PerformanceTable table;
  private final MeasuredProfile measured;
  private final Margin margin;
  private final Correction prefill = new Correction();
  private final Correction decode = new Correction();

  public RefinedProfile(PerformanceTable table, Margin margin) {
    this.table = table;
    this.measured = new MeasuredProfile(table);
    this.margin = margin;
  }

  /// The time with the margin, as decisions want it.
  @Override
  public long prefillNanos(long tokens) {
    return (long) (measured.prefillNanos(tokens) * prefill.factor(tokens) * margin.prefill());
  }

  /// The time with the margin, as decisions want it.
  @Override
  public long decodeNanos(int batch, long contextTokens) {
    return (long)
        (measured.decodeNanos(batch, contextTokens) * decode.factor(batch) * margin.decode());
  }

  /// Learns from a step that computed prompts.
  public void sawPrefill(long tokens, long nanos) {
    prefill.learn(tokens, nanos, measured.prefillNanos(tokens));
  }

  /// Learns from a decode step.
  public void sawDecode(int batch, long contextTokens, long nanos) {
    decode.learn(batch, nanos, measured.decodeNanos(batch, contextTokens));
  }

  /// The table as it would be measured now, without the margin: what is stored.
  public PerformanceTable table() {
    return new PerformanceTable(
        table.prefill().stream()
            .map(time ->
                new PrefillTime(time.tokens(), time.millis() * prefill.factor(time.tokens())))
            .toList(),
        table.decode().stream()
            .map(row -> new DecodeRow(row.context(), corrected(row.times())))
            .toList());
  }

  private List<DecodeTime> corrected(List<DecodeTime> times) {
    return times.stream()
        .map(time -> new DecodeTime(time.batch(), time.millis() * decode.factor(time.batch())))
        .toList();
  }

  /// What decisions multiply expected times by.
  public record Margin(double prefill, double decode) {
    public static final Margin NONE = new Margin(1, 1);

    public Margin {
      if (!(prefill >= 1 && decode >= 1)) {
        throw new IllegalArgumentException("a margin below 1: %s, %s".formatted(prefill, decode));
      }
    }
  }

  /// One factor for all sizes and one for each place, in logarithms and, ready to multiply, as they
  /// are.
  private static final class Correction {
    private final double[] places = new double[PLACES];
    private final double[] placeFactors = new double[PLACES];
    private double all;
    private double allFactor = 1;

    Correction() {
      Arrays.fill(placeFactors, 1);
    }

    double factor(long size) {
      return Math.clamp(allFactor * placeFactors[place(size)], 1 / MOST, MOST);
    }

    void learn(long size, long nanos, long expectedNanos) {
      if (nanos <= 0 || expectedNanos <= 0) {
        return;
      }
      int place = place(size);
      double off = Math.log(nanos / (expectedNanos * factor(size)));
      double counted = Math.clamp(off, -MOST_OFF, MOST_OFF);
      all = Math.clamp(all + RATE * counted, -BOUND, BOUND);
      allFactor = Math.exp(all);
      places[place] = Math.clamp(places[place] + PLACE_RATE * counted, -BOUND, BOUND);
      placeFactors[place] = Math.exp(places[place]);
    }

    private static int place(long size) {
      return Math.min(PLACES - 1, Long.SIZE - 1 - Long.numberOfLeadingZeros(Math.max(1, size)));
    }
  }
}
