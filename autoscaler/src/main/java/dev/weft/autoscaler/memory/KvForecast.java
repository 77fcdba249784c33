package dev.weft.autoscaler.memory;

import java.util.List;
import java.util.OptionalLong;

/// When the sequences that run now will need more KV memory than there is.
///
/// A sequence grows by a token a step until it ends, and ends as its function's answers do
/// ([LengthForecast]). At each of some moments ahead the demand is a sum of independent parts: of
/// each sequence its length then, if it still runs. Its mean and variance give the demand that is
/// not exceeded with the asked confidence. With a confidence of 1 every sequence is taken to run to
/// its `mostTokens`, and where those are kept the forecast misses nothing.
public final class KvForecast {
  private static final int MOMENTS = 16;

  private KvForecast() {}

  /// The first of `horizons` moments at which demand exceeds capacity.
  ///
  /// @param confidence of not missing it
  /// @param horizonNanos how far to look ahead; the moments are a sixteenth of it apart
  public static OptionalLong timeToExhaustion(
      List<Sequence> sequences, long capacityBytes, double confidence, long horizonNanos) {
    double deviations = confidence == 1 ? 0 : normalQuantile(confidence);
    for (int i = 1; i <= MOMENTS; i++) {
      long after = horizonNanos / MOMENTS * i;
      if (demandBytes(sequences, after, confidence, deviations) > capacityBytes) {
        return OptionalLong.of(after);
      }
    }
    return OptionalLong.empty();
  }

  /// The demand `afterNanos` from now that is not exceeded with the confidence.
  public static double demandBytes(List<Sequence> sequences, long afterNanos, double confidence) {
    return demandBytes(
        sequences, afterNanos, confidence, confidence == 1 ? 0 : normalQuantile(confidence));
  }

  private static double demandBytes(
      List<Sequence> sequences, long afterNanos, double confidence, double deviations) {
    double mean = 0;
    double variance = 0;
    for (Sequence sequence : sequences) {
      long grown = afterNanos / sequence.tokenNanos();
      long most = (long) sequence.mostTokens() - sequence.produced();
      double bytes =
          (double) sequence.bytesPerToken() * (sequence.heldTokens() + Math.min(grown, most));
      double runs = confidence == 1 ? 1 : runs(sequence, (int) Math.min(grown, most));
      mean += bytes * runs;
      variance += bytes * bytes * runs * (1 - runs);
    }
    return mean + deviations * Math.sqrt(variance);
  }

  /// The probability that a sequence has not ended after `more` tokens.
  private static double runs(Sequence sequence, int more) {
    double alive = sequence.lengths().survival(sequence.produced());
    return alive <= 0
        ? 1
        : Math.min(1, sequence.lengths().survival(sequence.produced() + more) / alive);
  }

  /// The standard normal distribution's quantile for `0.5 <= p < 1`, by Abramowitz and Stegun's
  /// approximation 26.2.23, off by less than 0.00045.
  static double normalQuantile(double p) {
    if (!(p >= 0.5 && p < 1)) {
      throw new IllegalArgumentException("not a confidence from 0.5 to 1: " + p);
    }
    double t = Math.sqrt(-2 * Math.log(1 - p));
    double above = 2.515517 + t * (0.802853 + t * 0.010328);
    double below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    return t - above / below;
  }

  /// A sequence that runs.
  ///
  /// @param heldTokens prompt and answer so far
  /// @param produced tokens of the answer so far
  /// @param mostTokens the most that the answer may have
  /// @param tokenNanos the least time in which it grows by a token
  /// @param lengths of its function's answers
  public record Sequence(
      long heldTokens,
      int produced,
      int mostTokens,
      long bytesPerToken,
      long tokenNanos,
      LengthForecast lengths) {
    public Sequence {
      if (tokenNanos < 1 || produced > mostTokens) {
        throw new IllegalArgumentException(
            "%d of %d tokens, one in %d ns".formatted(produced, mostTokens, tokenNanos));
      }
    }
  }
}
