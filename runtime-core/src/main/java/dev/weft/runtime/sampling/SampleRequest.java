package dev.weft.runtime.sampling;

/// Asks for one token.
///
/// @param position index of the token to choose within its sequence, prompt included: with the
///   seed, all randomness
/// @param history tokens so far, for the penalties; the sampler only reads it
/// @param blockedTokens tokens that may not be chosen now (end tokens before `min_tokens`)
public record SampleRequest(
    SamplingParameters parameters,
    int position,
    TokenHistory history,
    java.util.Set<Integer> blockedTokens) {
  /// What a sequence holds so far.
  public interface TokenHistory {
    int promptLength();

    /// Prompt and generated tokens together.
    int length();

    int token(int index);
  }
}
