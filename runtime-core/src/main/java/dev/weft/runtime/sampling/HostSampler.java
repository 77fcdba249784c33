package dev.weft.runtime.sampling;

import dev.weft.runtime.sampling.SampleRequest.TokenHistory;
import java.util.Arrays;
import java.util.Map;

/// Samples on the host. In this order: logit bias, blocked tokens, penalties (repetition,
/// frequency, presence), temperature, min-p, top-k, top-p (over what is left, scaled to one), then
/// one draw that depends on (seed, position) alone. Temperature 0 takes the largest logit after the
/// penalties, the lowest token of equal ones.
///
/// Reuses its scratch, so it is not thread-safe and allocates nothing a token but the result.
/// Nothing is sorted: the best tokens come out of a heap until enough have been seen.
public final class HostSampler implements Sampler {
  private final CandidateHeap candidates = new CandidateHeap();
  private float[] raw = {};
  private double[] weights = {};
  private int[] seen = {};
  private int seenStamp;

  /// @throws SamplingException when a logit is not a number, or every token is ruled out
  @Override
  public SampledToken sample(float[] logits, SampleRequest request) {
    var parameters = request.parameters();
    if (parameters.topLogprobs() < 0) {
      return LogProbabilities.unscored(choose(logits, request));
    }
    if (raw.length != logits.length) {
      raw = new float[logits.length];
    }
    System.arraycopy(logits, 0, raw, 0, logits.length);
    return LogProbabilities.score(raw, choose(logits, request), parameters.topLogprobs());
  }

  private int choose(float[] logits, SampleRequest request) {
    var parameters = request.parameters();
    for (Map.Entry<Integer, Float> bias : parameters.logitBias().entrySet()) {
      if (bias.getKey() >= 0 && bias.getKey() < logits.length) {
        logits[bias.getKey()] += bias.getValue();
      }
    }
    for (int token : request.blockedTokens()) {
      if (token >= 0 && token < logits.length) {
        logits[token] = Float.NEGATIVE_INFINITY;
      }
    }
    if (parameters.penalizes()) {
      penalize(logits, parameters, request.history());
    }
    int best = LogProbabilities.argmax(logits);
    if (parameters.greedy()) {
      return best;
    }
    double uniform = TokenRandom.uniform(parameters.seed(), request.position());
    return draw(logits, logits[best], parameters, uniform);
  }

  private void penalize(float[] logits, SamplingParameters parameters, TokenHistory history) {
    if (seen.length != logits.length) {
      seen = new int[logits.length];
      seenStamp = 0;
    }
    float repetition = (float) parameters.repetitionPenalty();
    if (repetition != 1) {
      forgetSeen();
      for (int i = 0; i < history.length(); i++) {
        int token = history.token(i);
        if (firstSeen(token)) {
          float logit = logits[token];
          logits[token] = logit > 0 ? logit / repetition : logit * repetition;
        }
      }
    }
    float frequency = (float) parameters.frequencyPenalty();
    float presence = (float) parameters.presencePenalty();
    if (frequency != 0 || presence != 0) {
      forgetSeen();
      for (int i = history.promptLength(); i < history.length(); i++) {
        int token = history.token(i);
        logits[token] -= firstSeen(token) ? frequency + presence : frequency;
      }
    }
  }

  private void forgetSeen() {
    if (++seenStamp == 0) {
      Arrays.fill(seen, 0);
      seenStamp = 1;
    }
  }

  private boolean firstSeen(int token) {
    boolean first = seen[token] != seenStamp;
    seen[token] = seenStamp;
    return first;
  }

  /// @param uniform the draw, in [0, 1)
  private int draw(float[] logits, float max, SamplingParameters parameters, double uniform) {
    double temperature = parameters.temperature();
    double threshold =
        parameters.minP() == 0
            ? Double.NEGATIVE_INFINITY
            : max + Math.log(parameters.minP()) * temperature;
    candidates.fill(logits, threshold);
    int count = candidates.size();
    boolean topK = parameters.topK() > 0 && parameters.topK() < count;
    boolean topP = parameters.topP() < 1;
    if (weights.length < count) {
      weights = new double[logits.length];
    }
    if (!topK && !topP) {
      double total = 0;
      for (int i = 0; i < count; i++) {
        total += Math.exp((logits[candidates.token(i)] - max) / temperature);
        weights[i] = total;
      }
      return candidates.token(firstAbove(weights, count, uniform * total));
    }

    // Popped tokens lie behind the heap, the best one last: the i-th best is at `count - 1 - i`.
    double total = 0;
    if (!topK) {
      for (int i = 0; i < count; i++) {
        total += Math.exp((logits[candidates.token(i)] - max) / temperature);
      }
    }
    candidates.order(logits);
    int kept = 0;
    double cumulative = 0;
    int limit = topK ? parameters.topK() : count;
    // Without top-k the total is known, so popping ends where top-p does.
    while (kept < limit && (topK || kept == 0 || cumulative < parameters.topP() * total)) {
      cumulative += Math.exp((logits[candidates.pop(logits)] - max) / temperature);
      weights[kept++] = cumulative;
    }
    if (topK && topP) {
      kept = firstAtLeast(weights, kept, parameters.topP() * cumulative) + 1;
    }
    return candidates.token(count - 1 - firstAbove(weights, kept, uniform * weights[kept - 1]));
  }

  /// The first index whose cumulative weight exceeds `target`, the last index if none does.
  private static int firstAbove(double[] cumulative, int count, double target) {
    int low = 0;
    int high = count - 1;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (cumulative[middle] > target) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /// The first index whose cumulative weight reaches `target`, the last index if none does.
  private static int firstAtLeast(double[] cumulative, int count, double target) {
    int index = 0;
    while (index < count - 1 && cumulative[index] < target) {
      index++;
    }
    return index;
  }
}
