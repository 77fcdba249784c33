package dev.weft.autoscaler.memory;

import java.util.Arrays;

/// How long the answers of a function become, by those that it gave.
///
/// Lengths are counted in classes that are 2^(1/4) wide, older ones for less and less, so a
/// function that changes is followed. Until it has a history of its own, a prior counts as some
/// answers: that of all functions together. For one thread.
public final class LengthForecast {
  private static final int CLASSES = 80;
  private static final double CLASSES_PER_DOUBLING = 4;
  private static final int[] ENDS = ends();
  private static final double MEMORY = 0.995;
  private static final double PRIOR_ANSWERS = 8;

  private final float[] counts = new float[CLASSES];

  /// The sums of `counts` from each class on.
  private final double[] from = new double[CLASSES + 1];

  private final LengthForecast prior;
  private double total;

  /// Without a history at all, lengths are taken to be as a geometric series from 1 to 1,024.
  public LengthForecast() {
    this.prior = this;
    for (int i = 0; i <= classOf(1_024); i++) {
      counts[i] = 1f / (classOf(1_024) + 1);
    }
    total = 1;
    sum();
  }

  /// Of a function whose answers are, until better is known, as those of `prior`.
  public LengthForecast(LengthForecast prior) {
    this.prior = prior;
  }

  /// Learns from an answer that ended.
  public void saw(int tokens) {
    for (int i = 0; i < CLASSES; i++) {
      counts[i] *= (float) MEMORY;
    }
    counts[classOf(tokens)] += 1;
    total = total * MEMORY + 1;
    sum();
  }

  private void sum() {
    for (int i = CLASSES - 1; i >= 0; i--) {
      from[i] = from[i + 1] + counts[i];
    }
  }

  /// Answers that count, older ones for less.
  public double answers() {
    return total;
  }

  /// The probability that an answer becomes longer than `tokens`.
  public double survival(int tokens) {
    double weight = priorWeight();
    double own = total == 0 ? 0 : Math.min(1, above(tokens) / total);
    return weight == 0 ? own : (own * total + weight * prior.survival(tokens)) / (total + weight);
  }

  /// The length that an answer, of which there are `produced` tokens and which did not end, stays
  /// below with the probability `confidence`; at most `mostTokens`.
  public int quantile(double confidence, int produced, int mostTokens) {
    if (!(confidence >= 0 && confidence <= 1)) {
      throw new IllegalArgumentException("not a probability: " + confidence);
    }
    double alive = survival(produced);
    if (confidence == 1 || alive <= 0) {
      return mostTokens;
    }
    double target = alive * (1 - confidence);
    for (int i = classOf(produced + 1); i < CLASSES; i++) {
      int end = endOf(i);
      if (end > produced && survival(end) <= target) {
        return Math.min(mostTokens, end);
      }
    }
    return mostTokens;
  }

  private double priorWeight() {
    return prior == this ? 0 : PRIOR_ANSWERS;
  }

  /// Counted answers above `tokens`, the class that contains it in proportion.
  private double above(int tokens) {
    int at = classOf(tokens);
    double begin = at == 0 ? 0 : endOf(at - 1);
    double part = (endOf(at) - tokens) / Math.max(1, endOf(at) - begin);
    return from[at + 1] + counts[at] * Math.clamp(part, 0, 1);
  }

  /// The class of lengths up to and including `endOf`.
  private static int classOf(int tokens) {
    if (tokens <= 1) {
      return 0;
    }
    int found = Arrays.binarySearch(ENDS, tokens);
    int at = Math.min(CLASSES - 1, found < 0 ? -found - 1 : found);
    while (at > 0 && ENDS[at - 1] == tokens) {
      at--;
    }
    return at;
  }

  private static int endOf(int at) {
    return ENDS[at];
  }

  private static int[] ends() {
    int[] ends = new int[CLASSES];
    for (int i = 0; i < CLASSES; i++) {
      ends[i] = (int) Math.floor(Math.pow(2, i / CLASSES_PER_DOUBLING));
    }
    return ends;
  }
}
