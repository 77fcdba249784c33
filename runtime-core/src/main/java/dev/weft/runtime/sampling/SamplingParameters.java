package dev.weft.runtime.sampling;

import java.util.Map;

/// How the next token is chosen. `temperature` 0 is greedy. Penalties as OpenAI's (presence,
/// frequency: over generated tokens) and the field's (repetition: over prompt and generated
/// tokens).
///
/// @param topK 0 is off
/// @param topP 1 is off
/// @param minP 0 is off
/// @param repetitionPenalty 1 is off
/// @param logitBias added to the logits of these tokens
/// @param seed randomness is a function of the seed and the token's position alone
/// @param topLogprobs alternatives to report with each token; -1 reports no log-probability at all
public record SamplingParameters(
    double temperature,
    int topK,
    double topP,
    double minP,
    double presencePenalty,
    double frequencyPenalty,
    double repetitionPenalty,
    Map<Integer, Float> logitBias,
    long seed,
    int topLogprobs) {
  public static final SamplingParameters GREEDY =
      new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(), 0, -1);

  public SamplingParameters {
    logitBias = Map.copyOf(logitBias);
    require(temperature >= 0 && Double.isFinite(temperature), "temperature", temperature);
    require(topK >= 0, "topK", topK);
    require(topP > 0 && topP <= 1, "topP", topP);
    require(minP >= 0 && minP <= 1, "minP", minP);
    require(Double.isFinite(presencePenalty), "presencePenalty", presencePenalty);
    require(Double.isFinite(frequencyPenalty), "frequencyPenalty", frequencyPenalty);
    require(
        repetitionPenalty > 0 && Double.isFinite(repetitionPenalty),
        "repetitionPenalty",
        repetitionPenalty);
    require(topLogprobs >= -1, "topLogprobs", topLogprobs);
  }

  private static void require(boolean valid, String name, double value) {
    if (!valid) {
      throw new IllegalArgumentException("%s is out of range: %s".formatted(name, value));
    }
  }

  /// Whether a token's history matters.
  public boolean penalizes() {
    return presencePenalty != 0 || frequencyPenalty != 0 || repetitionPenalty != 1;
  }

  public boolean greedy() {
    return temperature == 0;
  }
}
