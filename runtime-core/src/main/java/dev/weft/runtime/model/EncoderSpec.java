package dev.weft.runtime.model;

/// A BERT-class encoder: embeddings (token + position + type) with LayerNorm, then `layerCount` of
/// (bidirectional attention, residual, LayerNorm, feed-forward with GELU, residual, LayerNorm),
/// pooled to one vector a text.
///
/// @param maxPositions rows of the position embedding
/// @param contextLength the longest text in tokens, at most `maxPositions`; longer ones are refused
/// @param normalize whether vectors are scaled to length 1
public record EncoderSpec(
    String family,
    int vocabularySize,
    int contextLength,
    int layerCount,
    int hiddenSize,
    int intermediateSize,
    int headCount,
    int maxPositions,
    double normEpsilon,
    Pooling pooling,
    boolean normalize)
    implements ModelSpec {
  /// How token vectors become the text's.
  public enum Pooling {
    MEAN,
    CLS
  }

  public int headSize() {
    return hiddenSize / headCount;
  }
}
