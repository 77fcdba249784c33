package dev.weft.runtime.sampling;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The definition of each filter, written out over doubles and full sorts: what [HostSampler] must
/// agree with.
final class PlainSampler {
  private PlainSampler() {}

  /// The tokens that may be chosen and their probabilities, in the order in which the draw runs
  /// over them.
  static Map<Integer, Double> distribution(float[] original, SampleRequest request) {
    var parameters = request.parameters();
    double[] logits = adjusted(original, request);
    List<Integer> kept = new ArrayList<>();
    for (int token = 0; token < logits.length; token++) {
      kept.add(token);
    }
    if (parameters.greedy()) {
      kept.sort(Comparator.comparingDouble((Integer token) -> -logits[token]));
      return Map.of(kept.getFirst(), 1.0);
    }
    double max = kept.stream().mapToDouble(token -> logits[token]).max().orElseThrow();
    double[] weights = new double[logits.length];
    for (int token = 0; token < logits.length; token++) {
      weights[token] = Math.exp((logits[token] - max) / parameters.temperature());
    }
    kept.removeIf(token -> weights[token] < parameters.minP() || weights[token] == 0);
    boolean topK = parameters.topK() > 0 && parameters.topK() < kept.size();
    if (topK || parameters.topP() < 1) {
      // A stable sort: equal ones stay in order of their number.
      kept.sort(Comparator.comparingDouble((Integer token) -> -logits[token]));
    }
    if (topK) {
      kept = kept.subList(0, parameters.topK());
    }
    double total = kept.stream().mapToDouble(token -> weights[token]).sum();
    if (parameters.topP() < 1) {
      double cumulative = 0;
      int size = 0;
      while (size < kept.size() && (size == 0 || cumulative < parameters.topP() * total)) {
        cumulative += weights[kept.get(size++)];
      }
      kept = kept.subList(0, size);
    }
    double sum = kept.stream().mapToDouble(token -> weights[token]).sum();
    var distribution = new LinkedHashMap<Integer, Double>();
    kept.forEach(token -> distribution.put(token, weights[token] / sum));
    return distribution;
  }

  private static double[] adjusted(float[] original, SampleRequest request) {
    var parameters = request.parameters();
    double[] logits = new double[original.length];
    for (int token = 0; token < logits.length; token++) {
      logits[token] = original[token] + parameters.logitBias().getOrDefault(token, 0f);
      if (request.blockedTokens().contains(token)) {
        logits[token] = Double.NEGATIVE_INFINITY;
      }
    }
    var history = request.history();
    var everywhere = new HashSet<Integer>();
    var generated = new HashMap<Integer, Integer>();
    for (int i = 0; i < history.length(); i++) {
      everywhere.add(history.token(i));
      if (i >= history.promptLength()) {
        generated.merge(history.token(i), 1, Integer::sum);
      }
    }
    for (int token : everywhere) {
      double penalty = parameters.repetitionPenalty();
      logits[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty;
    }
    generated.forEach((token, count) ->
        logits[token] -= count * parameters.frequencyPenalty() + parameters.presencePenalty());
    return logits;
  }
}
