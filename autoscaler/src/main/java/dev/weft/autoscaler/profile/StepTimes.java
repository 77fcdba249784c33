package dev.weft.autoscaler.profile;

/// How long the steps of a model take on a device.
public interface StepTimes {
  /// The time of a step that computes prompts of `tokens` tokens.
  long prefillNanos(long tokens);

  /// The time of a step that gives each of `batch` sequences a token.
  ///
  /// @param contextTokens tokens of all sequences together
  long decodeNanos(int batch, long contextTokens);
}
