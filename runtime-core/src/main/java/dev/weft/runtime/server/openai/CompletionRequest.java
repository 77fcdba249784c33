package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// The body of `POST /v1/completions`.
///
/// @param echo whether the answer begins with the prompt
/// @param scoreOnly `max_tokens` was 0: the prompt (and its log-probabilities) is all that is asked
public record CompletionRequest(
    Optional<String> model,
    List<TextInput> prompts,
    boolean echo,
    boolean scoreOnly,
    GenerationParameters generation) {
  static final int MAX_PROMPTS = 256;

  /// Choices of one request: prompts times `n`.
  static final int MAX_TOTAL_CHOICES = 512;

  private static final int MAX_LOGPROBS = 5;
  private static final int DEFAULT_MAX_TOKENS = 16;

  public CompletionRequest {
    prompts = List.copyOf(prompts);
  }

  public static CompletionRequest parse(ObjectNode body) {
    Parameters parameters = Parameters.of(body);
    Optional<String> model = parameters.string("model");
    List<TextInput> prompts = TextInput.take("prompt", parameters.required("prompt"), MAX_PROMPTS);
    boolean echo = parameters.flag("echo");
    int maxTokens =
        parameters
            .smallInteger("max_tokens", echo ? 0 : 1, Integer.MAX_VALUE)
            .orElse(DEFAULT_MAX_TOKENS);
    GenerationParameters generation =
        GenerationParameters.take(
            parameters, OptionalInt.of(Math.max(1, maxTokens)), logprobs(parameters));
    boundChoices(prompts.size(), generation.choices());
    bestOf(parameters, generation.choices());
    responseFormat(parameters);
    parameters.unsupported("suffix");
    parameters.refuseOthers();
    return new CompletionRequest(model, prompts, echo, maxTokens == 0, generation);
  }

  private static int logprobs(Parameters parameters) {
    Optional<JsonNode> value = parameters.node("logprobs");
    return value.isEmpty() ? -1 : parameters.smallInteger("logprobs", 0, MAX_LOGPROBS).orElse(-1);
  }

  private static void boundChoices(int prompts, int choices) {
    if ((long) prompts * choices > MAX_TOTAL_CHOICES) {
      throw ApiError.invalid(
          "n",
          "integer_above_max_value",
          "Invalid 'n': %d prompts with %d choices each are more than %d."
              .formatted(prompts, choices, MAX_TOTAL_CHOICES));
    }
  }

  private static void bestOf(Parameters parameters, int choices) {
    OptionalInt bestOf = parameters.smallInteger("best_of", 1, GenerationParameters.MAX_CHOICES);
    if (bestOf.isPresent() && bestOf.getAsInt() != choices) {
      throw Parameters.notSupported("best_of", "'best_of' other than 'n' is not supported here.");
    }
  }

  private static void responseFormat(Parameters parameters) {
    parameters.unsupported("response_format", "modalities");
  }
}
