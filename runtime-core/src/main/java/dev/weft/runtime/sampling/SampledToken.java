package dev.weft.runtime.sampling;

import java.util.List;

/// A chosen token. Log-probabilities are natural logarithms of the model's own distribution (before
/// temperature and truncation), `NaN` when not asked for.
public record SampledToken(int token, float logprob, List<Alternative> alternatives) {
  public SampledToken {
    alternatives = List.copyOf(alternatives);
  }

  /// One of the most likely tokens, the most likely first.
  public record Alternative(int token, float logprob) {}
}
