package dev.weft.runtime.backend;

import java.util.Arrays;
import java.util.List;

/// How well a decoder agrees with the reference, both fed the reference's own greedy tokens.
///
/// @param positions logit rows compared
/// @param maxLogitDifference the largest absolute difference of any logit
/// @param meanLogitDifference the mean absolute difference
/// @param logitDeviation the standard deviation of the reference's logits, to judge these by
/// @param decided positions where the reference's best token leads by more than the margin, which
///   is in standard deviations of the row's logits
/// @param disagreements of these, positions where the other's best token is another one
public record BackendAgreement(
    int positions,
    double maxLogitDifference,
    double meanLogitDifference,
    double logitDeviation,
    int decided,
    int disagreements) {
  /// Continues each prompt by `newTokens` tokens of the reference, then compares all rows.
  public static BackendAgreement measure(
      DecoderDriver candidate,
      DecoderDriver reference,
      List<int[]> prompts,
      int newTokens,
      double margin) {
    int positions = 0;
    int decided = 0;
    int disagreements = 0;
    double max = 0;
    double sum = 0;
    double expectedSum = 0;
    double expectedSquares = 0;
    long logits = 0;
    for (int[] prompt : prompts) {
      int[] tokens = reference.continued(prompt, newTokens);
      float[][] expected = reference.logits(tokens);
      float[][] actual = candidate.logits(tokens);
      for (int row = 0; row < tokens.length; row++) {
        positions++;
        for (int i = 0; i < expected[row].length; i++) {
          double difference = Math.abs(actual[row][i] - expected[row][i]);
          // Not a number compares false: it must not pass as agreement.
          max = difference <= max ? max : difference;
          sum += difference;
          expectedSum += expected[row][i];
          expectedSquares += (double) expected[row][i] * expected[row][i];
          logits++;
        }
        if (lead(expected[row]) > margin * deviation(expected[row])) {
          decided++;
          if (DecoderDriver.argmax(actual[row]) != DecoderDriver.argmax(expected[row])) {
            disagreements++;
          }
        }
      }
    }
    double mean = expectedSum / logits;
    double deviation = Math.sqrt(Math.max(0, expectedSquares / logits - mean * mean));
    return new BackendAgreement(positions, max, sum / logits, deviation, decided, disagreements);
  }

  /// The largest difference in standard deviations of the reference's logits.
  public double maxRelativeDifference() {
    return maxLogitDifference / logitDeviation;
  }

  private static double deviation(float[] logits) {
    double sum = 0;
    double squares = 0;
    for (float logit : logits) {
      sum += logit;
      squares += (double) logit * logit;
    }
    double mean = sum / logits.length;
    return Math.sqrt(Math.max(0, squares / logits.length - mean * mean));
  }

  /// By how much the best logit leads.
  private static double lead(float[] logits) {
    float[] sorted = logits.clone();
    Arrays.sort(sorted);
    return (double) sorted[sorted.length - 1] - sorted[sorted.length - 2];
  }
}
