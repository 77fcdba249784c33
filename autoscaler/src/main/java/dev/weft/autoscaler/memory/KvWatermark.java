package dev.weft.autoscaler.memory;

/// How much KV memory an instance should hold for what its sequences need.
///
/// It grows only when it needs more than it has, and then by a watermark more than it needs, so
/// that the next token does not ask again; it shrinks only when it holds the watermark twice over.
/// Between the two nothing is done: one size never answers the other's decision.
///
/// @param share how much more than the need is held, 0.25 for a quarter
/// @param leastTokens what an instance holds at least
public record KvWatermark(double share, long leastTokens) {
  public static final KvWatermark DEFAULT = new KvWatermark(0.25, 2_048);

  public KvWatermark {
    if (!(share >= 0) || leastTokens < 0) {
      throw new IllegalArgumentException("not a watermark: %s, %d".formatted(share, leastTokens));
    }
  }

  /// Decides for one instance.
  ///
  /// @param neededTokens what its sequences need, with what they are expected to grow by
  /// @param heldTokens what it holds, planned
  /// @param roomTokens what it could get in addition
  public Outcome decide(long neededTokens, long heldTokens, long roomTokens) {
    long needed = Math.max(leastTokens, neededTokens);
    long recommended = (long) Math.ceil(needed * (1 + share));
    if (needed > heldTokens) {
      long missing = needed - heldTokens - roomTokens;
      return missing > 0
          ? new Lacks(missing)
          : new Grow(Math.min(recommended, heldTokens + roomTokens));
    }
    boolean farBelow = recommended < heldTokens / (1 + share);
    return farBelow ? new Shrink(recommended) : Keep.KEEP;
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// It has what it needs, and not much more.
  public enum Keep implements Outcome {
    KEEP
  }

  /// It gets more, `tokens` in all.
  public record Grow(long tokens) implements Outcome {}

  /// It gives some back and keeps `tokens`.
  public record Shrink(long tokens) implements Outcome {}

  /// There is no room for what it needs; so much is missing.
  public record Lacks(long missingTokens) implements Outcome {}
}
