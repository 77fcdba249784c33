package dev.weft.runtime.engine;

import dev.weft.runtime.sampling.SamplingParameters;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// One sequence to generate, tokenised already.
///
/// @param id for logs; not unique between restarts
/// @param promptTokens at least one
/// @param maxTokens the most tokens to generate; prompt and these fit the context
/// @param minTokens no end token and no stop before so many
/// @param stop strings that end the generation and are not part of the text
/// @param ignoreEnd whether end tokens are ordinary ones
/// @param scorePrompt whether the listener gets the prompt's own log-probabilities
/// @param promptLookupTokens the most tokens to guess from the prompt and the text so far, and to
///   check in one step; 0 guesses none. The answer is the same
/// @param deadline time, from submission, until the first token must have come
/// @param waited how long its caller had waited for the first token before it was submitted
/// @param generated tokens that were generated elsewhere already: the text goes on after them, and
///   they count as this request's own
@SuppressWarnings("ArrayRecordComponent")
public record GenerationRequest(
    String id,
    int[] promptTokens,
    SamplingParameters sampling,
    int maxTokens,
    int minTokens,
    List<String> stop,
    boolean ignoreEnd,
    boolean scorePrompt,
    int promptLookupTokens,
    Optional<Duration> deadline,
    Duration waited,
    int[] generated) {
  private static final int[] NOTHING = {};

  /// One that begins at its prompt.
  public GenerationRequest(
      String id,
      int[] promptTokens,
      SamplingParameters sampling,
      int maxTokens,
      int minTokens,
      List<String> stop,
      boolean ignoreEnd,
      boolean scorePrompt,
      int promptLookupTokens,
      Optional<Duration> deadline) {
    this(
        id,
        promptTokens,
        sampling,
        maxTokens,
        minTokens,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline,
        Duration.ZERO,
        NOTHING);
  }

  public GenerationRequest {
    stop = List.copyOf(stop);
    if (promptTokens.length == 0) {
      throw new IllegalArgumentException("the prompt has no tokens");
    }
    if (maxTokens < 1) {
      throw new IllegalArgumentException("maxTokens is not positive: " + maxTokens);
    }
    if (minTokens < 0) {
      throw new IllegalArgumentException("minTokens is negative: " + minTokens);
    }
    if (promptLookupTokens < 0) {
      throw new IllegalArgumentException("promptLookupTokens is negative: " + promptLookupTokens);
    }
    if (waited.isNegative()) {
      throw new IllegalArgumentException("it waited for %s".formatted(waited));
    }
    if (generated.length > maxTokens) {
      throw new IllegalArgumentException(
          "%d tokens were generated, of at most %d".formatted(generated.length, maxTokens));
    }
    if (generated.length > 0 && scorePrompt) {
      throw new IllegalArgumentException("a prompt is scored before anything is generated");
    }
    if (stop.contains("")) {
      throw new IllegalArgumentException("a stop string is empty");
    }
  }

  /// The same, going on after `tokens`. The prompt is not scored again.
  public GenerationRequest after(int[] tokens) {
    return new GenerationRequest(
        id,
        promptTokens,
        sampling,
        maxTokens,
        minTokens,
        stop,
        ignoreEnd,
        false,
        promptLookupTokens,
        deadline,
        waited,
        tokens);
  }

  /// The same, of a caller who has waited for so long.
  public GenerationRequest waited(Duration time) {
    return new GenerationRequest(
        id,
        promptTokens,
        sampling,
        maxTokens,
        minTokens,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline,
        time,
        generated);
  }
}
