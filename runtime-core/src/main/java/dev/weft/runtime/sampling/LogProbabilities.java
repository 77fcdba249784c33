package dev.weft.runtime.sampling;

import dev.weft.runtime.sampling.SampledToken.Alternative;
import java.util.ArrayList;
import java.util.List;

/// Log-probabilities of the model's own distribution: the softmax of the logits as they came.
public final class LogProbabilities {
  private LogProbabilities() {}

  /// The log-probability of `token` and the `alternativeCount` most likely tokens.
  public static SampledToken score(float[] logits, int token, int alternativeCount) {
    double logSum = logSumExp(logits);
    var alternatives = new ArrayList<Alternative>(alternativeCount);
    for (int id : mostLikely(logits, alternativeCount)) {
      alternatives.add(new Alternative(id, (float) (logits[id] - logSum)));
    }
    return new SampledToken(token, (float) (logits[token] - logSum), alternatives);
  }

  /// A token whose log-probability nobody asked for, or that has none.
  public static SampledToken unscored(int token) {
    return new SampledToken(token, Float.NaN, List.of());
  }

  /// The natural logarithm of the sum of exponentials; throws [SamplingException] when a logit is
  /// not a number or there is no largest one.
  static double logSumExp(float[] logits) {
    double max = logits[argmax(logits)];
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - max);
    }
    return max + Math.log(sum);
  }

  /// The index of the largest logit, the lowest of equal ones; throws [SamplingException] when a
  /// logit is not a number or the largest is not finite.
  static int argmax(float[] logits) {
    int best = 0;
    boolean unordered = false;
    for (int i = 0; i < logits.length; i++) {
      float logit = logits[i];
      unordered |= Float.isNaN(logit);
      if (logit > logits[best]) {
        best = i;
      }
    }
    if (unordered) {
      throw new SamplingException(
          "the logit of token %d is not a number".formatted(firstNaN(logits)));
    }
    if (!Float.isFinite(logits[best])) {
      throw new SamplingException(
          logits[best] > 0
              ? "the logit of token %d is infinite".formatted(best)
              : "every token is ruled out");
    }
    return best;
  }

  private static int firstNaN(float[] logits) {
    for (int i = 0; i < logits.length; i++) {
      if (Float.isNaN(logits[i])) {
        return i;
      }
    }
    return -1;
  }

  /// The `count` tokens of the largest logits, the largest first, the lowest index first of equal
  /// ones. For small counts: each insertion shifts up to `count` elements.
  private static int[] mostLikely(float[] logits, int count) {
    int[] best = new int[Math.min(count, logits.length)];
    int size = 0;
    for (int i = 0; i < logits.length && best.length > 0; i++) {
      if (size == best.length && logits[i] <= logits[best[size - 1]]) {
        continue;
      }
      int at = size < best.length ? size++ : size - 1;
      while (at > 0 && logits[best[at - 1]] < logits[i]) {
        best[at] = best[at - 1];
        at--;
      }
      best[at] = i;
    }
    return best;
  }
}
