package dev.weft.runtime.model;

import java.util.List;

/// A decoder-only transformer: token embedding, `layerCount` of (RMSNorm, grouped-query attention
/// with rotary positions, RMSNorm, gated feed-forward), RMSNorm, output projection.
///
/// @param kvHeadCount key/value heads; each serves `headCount / kvHeadCount` query heads
/// @param intermediateSize width of the feed-forward part
/// @param attentionBias whether the query, key and value projections have biases
/// @param tiedOutput whether the output projection is the token embedding
/// @param slidingWindow tokens that attention looks back over, itself included; 0 is all
public record DecoderSpec(
    String family,
    int vocabularySize,
    int contextLength,
    int layerCount,
    int hiddenSize,
    int intermediateSize,
    int headCount,
    int kvHeadCount,
    int headSize,
    double normEpsilon,
    Rope rope,
    Activation activation,
    boolean attentionBias,
    boolean tiedOutput,
    int slidingWindow)
    implements ModelSpec {
  public DecoderSpec {
    if (headCount % kvHeadCount != 0) {
      throw new IllegalArgumentException(
          "%d heads are not a multiple of %d KV heads".formatted(headCount, kvHeadCount));
    }
  }

  /// Activation of the gate in the feed-forward part.
  public enum Activation {
    SILU,
    GELU_TANH
  }

  /// Rotary positions. Pair `i` of a head turns by `position / (theta^(2i/dimensions) *
  /// frequencyFactors[i])`.
  ///
  /// @param dimensions leading elements of a head that are turned
  /// @param interleaved pairs are `(2i, 2i+1)`, as GGUF stores Llama; else `(i, i + dimensions/2)`
  /// @param frequencyFactors one per pair, or empty for all ones (Llama 3's scaling is such
  ///   factors)
  public record Rope(
      double theta, int dimensions, boolean interleaved, List<Float> frequencyFactors) {
    public Rope {
      frequencyFactors = List.copyOf(frequencyFactors);
      if (!frequencyFactors.isEmpty() && frequencyFactors.size() != dimensions / 2) {
        throw new IllegalArgumentException(
            "%d frequency factors for %d pairs".formatted(frequencyFactors.size(), dimensions / 2));
      }
    }
  }

  /// Width of all query heads together.
  public int queryWidth() {
    return headCount * headSize;
  }

  /// Width of all key heads together, and of all value heads.
  public int kvWidth() {
    return kvHeadCount * headSize;
  }
}
