package dev.weft.runtime.sampling;

import dev.weft.runtime.sampling.SampleRequest.TokenHistory;
import java.util.Map;
import java.util.Set;

/// Parameters, histories and requests for tests.
public final class SamplingCases {
  static final SamplingParameters PLAIN =
      new SamplingParameters(1, 0, 1, 0, 0, 0, 1, Map.of(), 42, -1);

  private SamplingCases() {}

  public static TokenHistory history(int promptLength, int... tokens) {
    return new TokenHistory() {
      @Override
      public int promptLength() {
        return promptLength;
      }

      @Override
      public int length() {
        return tokens.length;
      }

      @Override
      public int token(int index) {
        return tokens[index];
      }
    };
  }

  static SampleRequest request(SamplingParameters parameters, int position) {
    return new SampleRequest(parameters, position, history(0), Set.of());
  }

  static SamplingParameters truncated(double temperature, int topK, double topP, double minP) {
    return new SamplingParameters(temperature, topK, topP, minP, 0, 0, 1, Map.of(), 42, -1);
  }

  static SamplingParameters penalized(double presence, double frequency, double repetition) {
    return new SamplingParameters(0, 0, 1, 0, presence, frequency, repetition, Map.of(), 42, -1);
  }

  static SamplingParameters biased(double temperature, Map<Integer, Float> bias) {
    return new SamplingParameters(temperature, 0, 1, 0, 0, 0, 1, bias, 42, -1);
  }

  static SamplingParameters reporting(
      double temperature, int topLogprobs, Map<Integer, Float> bias) {
    return new SamplingParameters(temperature, 0, 1, 0, 0, 0, 1, bias, 42, topLogprobs);
  }
}
