package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.sampling.SamplingParameters;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/// What chat and completion requests have in common: how to sample, when to stop, how to answer.
/// Ranges are OpenAI's; `top_k`, `min_p`, `repetition_penalty`, `min_tokens` and `ignore_eos` are
/// vLLM's, with its meaning; `speculation` is ours.
///
/// @param maxTokens empty when the request leaves it to the server
/// @param choices `n`: answers to make, each with a seed of its own
/// @param promptLookupTokens `speculation.prompt_lookup_tokens`; 0 for no speculation
/// @param sampling everything but the seed, which is a choice's own
public record GenerationParameters(
    OptionalInt maxTokens,
    int minTokens,
    int choices,
    List<String> stop,
    boolean ignoreEnd,
    int promptLookupTokens,
    SamplingParameters sampling,
    OptionalLong seed,
    Streaming streaming) {
  static final int MAX_CHOICES = 128;
  static final int MAX_STOPS = 4;
  static final int MAX_STOP_LENGTH = 1_000;
  static final int MAX_TOP_LOGPROBS = 20;
  static final int MAX_PROMPT_LOOKUP_TOKENS = 32;
  private static final int MAX_LOGIT_BIASES = 1_024;
  private static final double SMALLEST_TOP_P = 1e-9;

  /// How the answer is sent.
  public enum Streaming {
    OFF,
    ON,
    /// A stream whose last chunk holds the usage.
    WITH_USAGE
  }

  public boolean streamed() {
    return streaming != Streaming.OFF;
  }

  public boolean logprobs() {
    return sampling.topLogprobs() >= 0;
  }

  /// The sampling of choice `index`, from a base seed.
  public SamplingParameters samplingOf(int index, long baseSeed) {
    return new SamplingParameters(
        sampling.temperature(),
        sampling.topK(),
        sampling.topP(),
        sampling.minP(),
        sampling.presencePenalty(),
        sampling.frequencyPenalty(),
        sampling.repetitionPenalty(),
        sampling.logitBias(),
        baseSeed + index,
        sampling.topLogprobs());
  }

  /// Takes the common members; `maxTokens` and `topLogprobs` (-1 for none) differ in name between
  /// the two kinds of request and come from outside.
  static GenerationParameters take(Parameters parameters, OptionalInt maxTokens, int topLogprobs) {
    int minTokens = parameters.smallInteger("min_tokens", 0, Integer.MAX_VALUE).orElse(0);
    if (maxTokens.isPresent() && minTokens > maxTokens.getAsInt()) {
      throw ApiError.invalid(
          "min_tokens",
          "invalid_value",
          "Invalid 'min_tokens': %d is more than the most tokens asked for, %d."
              .formatted(minTokens, maxTokens.getAsInt()));
    }
    SamplingParameters sampling =
        new SamplingParameters(
            parameters.decimal("temperature", 0, 2).orElse(1),
            topK(parameters),
            topP(parameters),
            parameters.decimal("min_p", 0, 1).orElse(0),
            parameters.decimal("presence_penalty", -2, 2).orElse(0),
            parameters.decimal("frequency_penalty", -2, 2).orElse(0),
            repetitionPenalty(parameters),
            logitBias(parameters),
            0,
            topLogprobs);
    refuseOrIgnore(parameters);
    return new GenerationParameters(
        maxTokens,
        minTokens,
        parameters.smallInteger("n", 1, MAX_CHOICES).orElse(1),
        parameters.strings("stop", MAX_STOPS, MAX_STOP_LENGTH),
        parameters.flag("ignore_eos"),
        promptLookupTokens(parameters),
        sampling,
        parameters.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE),
        streaming(parameters));
  }

  /// 0 and -1 both switch it off, as in vLLM.
  private static int topK(Parameters parameters) {
    return Math.max(0, parameters.smallInteger("top_k", -1, Integer.MAX_VALUE).orElse(0));
  }

  /// OpenAI allows 0, which leaves the likeliest token alone; so does the smallest share above it.
  private static double topP(Parameters parameters) {
    return Math.max(SMALLEST_TOP_P, parameters.decimal("top_p", 0, 1).orElse(1));
  }

  private static double repetitionPenalty(Parameters parameters) {
    OptionalDouble penalty = parameters.decimal("repetition_penalty", 0, 2);
    if (penalty.isPresent() && penalty.getAsDouble() == 0) {
      throw ApiError.invalid(
          "repetition_penalty",
          "decimal_below_min_value",
          "Invalid 'repetition_penalty': expected a value > 0, but got 0 instead.");
    }
    return penalty.orElse(1);
  }

  private static Map<Integer, Float> logitBias(Parameters parameters) {
    Optional<JsonNode> found = parameters.node("logit_bias");
    if (found.isEmpty()) {
      return Map.of();
    }
    if (!(found.get() instanceof ObjectNode object)) {
      throw Parameters.wrongType("logit_bias", "an object", found.get());
    }
    Parameters.boundCount("logit_bias", object, MAX_LOGIT_BIASES);
    Parameters biases = Parameters.of("logit_bias", object);
    Map<Integer, Float> biasByToken = new HashMap<>();
    for (Map.Entry<String, JsonNode> member : object.properties()) {
      String token = member.getKey();
      if (!token.matches("[0-9]{1,9}")) {
        throw ApiError.invalid(
            "logit_bias", "invalid_value", "Invalid 'logit_bias': a key is not a token id.");
      }
      biases
          .decimal(token, -100, 100)
          .ifPresent(bias -> biasByToken.put(Integer.valueOf(token), (float) bias));
    }
    return biasByToken;
  }

  private static int promptLookupTokens(Parameters parameters) {
    Optional<JsonNode> speculation = parameters.node("speculation");
    if (speculation.isEmpty()) {
      return 0;
    }
    Parameters members = Parameters.of("speculation", speculation.get());
    int tokens =
        members.smallInteger("prompt_lookup_tokens", 0, MAX_PROMPT_LOOKUP_TOKENS).orElse(0);
    members.refuseOthers();
    return tokens;
  }

  private static Streaming streaming(Parameters parameters) {
    boolean stream = parameters.flag("stream");
    Optional<JsonNode> options = parameters.node("stream_options");
    if (options.isEmpty()) {
      return stream ? Streaming.ON : Streaming.OFF;
    }
    if (!stream) {
      throw ApiError.invalid(
          "stream_options",
          "invalid_value",
          "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    }
    Parameters members = Parameters.of("stream_options", options.get());
    boolean includeUsage = members.flag("include_usage");
    // Padding against an observer of packet lengths; never needed for a right answer.
    members.harmless("include_obfuscation");
    members.refuseOthers();
    return includeUsage ? Streaming.WITH_USAGE : Streaming.ON;
  }

  private static void refuseOrIgnore(Parameters parameters) {
    parameters.harmless(
        "user",
        "metadata",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "parallel_tool_calls");
    if (parameters.flag("store")) {
      throw Parameters.notSupported("store", "'store' is not supported here: nothing is kept.");
    }
    parameters.unsupported(
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "audio",
        "prediction",
        "reasoning_effort",
        "verbosity",
        "web_search_options");
  }
}
