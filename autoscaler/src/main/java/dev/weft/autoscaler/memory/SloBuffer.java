package dev.weft.autoscaler.memory;

/// How much of the swap buffer may hold KV of sequences that do not run: the SLO-aware buffer of
/// eLLM (arXiv 2506.15155). A larger one lets more prompts begin, and makes running sequences wait
/// more often for KV to come back.
///
/// A target that is missed in 3 of the last 5 steps counts: time per output token halves the size,
/// time to first token doubles it, both leave it. After it counted, the steps that made it count
/// are forgotten, so that a change shows its effect before the next. Immutable; each step gives the
/// next one.
///
/// @param bytes the size now, from `leastBytes` to `mostBytes`
/// @param leastBytes what halving stops at; doubling starts from it again, so it is not 0 unless
///   there is no buffer at all
/// @param mostBytes the buffer's real size
/// @param slowTokens the last steps as bits, the newest the lowest: time per output token missed
/// @param lateTokens as `slowTokens`, for time to first token
public record SloBuffer(
    long bytes, long leastBytes, long mostBytes, int slowTokens, int lateTokens) {
  private static final int WINDOW = 5;
  private static final int VIOLATIONS = 3;
  private static final int FACTOR = 2;

  public SloBuffer {
    if (leastBytes < 0 || bytes < leastBytes || bytes > mostBytes) {
      throw new IllegalArgumentException(
          "%d bytes are not within %d and %d".formatted(bytes, leastBytes, mostBytes));
    }
    if (leastBytes == 0 && mostBytes > 0) {
      throw new IllegalArgumentException("a buffer of 0 bytes never grows again");
    }
  }

  /// All of a buffer, with nothing known yet.
  public static SloBuffer of(long leastBytes, long mostBytes) {
    return new SloBuffer(mostBytes, leastBytes, mostBytes, 0, 0);
  }

  /// The buffer after another step.
  ///
  /// @param slowToken whether a token came later after the one before than it should
  /// @param lateToken whether a first token came, or is still to come, later than it should
  public SloBuffer after(boolean slowToken, boolean lateToken) {
    int slow = next(slowTokens, slowToken);
    int late = next(lateTokens, lateToken);
    boolean shrinks = Integer.bitCount(slow) >= VIOLATIONS;
    boolean grows = Integer.bitCount(late) >= VIOLATIONS;
    long size = bytes;
    if (shrinks && !grows) {
      size = Math.max(leastBytes, bytes / FACTOR);
    } else if (grows && !shrinks) {
      size = bytes > mostBytes / FACTOR ? mostBytes : bytes * FACTOR;
    }
    return new SloBuffer(size, leastBytes, mostBytes, shrinks ? 0 : slow, grows ? 0 : late);
  }

  private static int next(int steps, boolean missed) {
    return (steps << 1 | (missed ? 1 : 0)) & (1 << WINDOW) - 1;
  }
}
