package dev.weft.runtime.sampling;

/// Randomness as a pure function of (seed, position): a token's draw is the same in any batch, on
/// any device, and after a sequence was preempted or continued elsewhere.
public final class TokenRandom {
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  private TokenRandom() {}

  /// Uniform in [0, 1), with 53 bits.
  public static double uniform(long seed, int position) {
    // The seed is mixed before the position moves it, so that neighbouring seeds do not give the
    // same stream shifted.
    long bits = mix(mix(seed) + GOLDEN_GAMMA * (position + 1L));
    return (bits >>> 11) * 0x1.0p-53;
  }

  /// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; Stafford's variant 13).
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
