package dev.weft.runtime.backend;

/// Scaled dot-product attention of one query head: over the keys in order, the sums in double.
final class Attention {
  private final int headSize;
  private final double scale;

  Attention(int headSize) {
    this.headSize = headSize;
    scale = 1 / Math.sqrt(headSize);
  }

  /// Where the keys and values of tokens lie: an array, and the index of the row's first element.
  interface Memory {
    float[] keys(int token);

    int keyOffset(int token);

    float[] values(int token);

    int valueOffset(int token);
  }

  /// Attends from the head at `queryOffset` of `query` over tokens `from` up to `to`.
  ///
  /// @param kvHeadOffset of the head within a key or value row
  /// @param out takes the result at `queryOffset`
  void attend(
      float[] query,
      int queryOffset,
      Memory memory,
      int kvHeadOffset,
      int from,
      int to,
      float[] out) {
    double[] weights = new double[to - from];
    double max = Double.NEGATIVE_INFINITY;
    for (int token = from; token < to; token++) {
      double score =
          scale
              * dot(query, queryOffset, memory.keys(token), memory.keyOffset(token) + kvHeadOffset);
      weights[token - from] = score;
      max = Math.max(max, score);
    }
    double total = 0;
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Math.exp(weights[i] - max);
      total += weights[i];
    }
    double[] sums = new double[headSize];
    for (int token = from; token < to; token++) {
      double weight = weights[token - from] / total;
      float[] values = memory.values(token);
      int offset = memory.valueOffset(token) + kvHeadOffset;
      for (int i = 0; i < headSize; i++) {
        sums[i] += weight * values[offset + i];
      }
    }
    for (int i = 0; i < headSize; i++) {
      out[queryOffset + i] = (float) sums[i];
    }
  }

  /// Four partial sums, so that additions need not wait for each other; their order is fixed.
  private double dot(float[] a, int aOffset, float[] b, int bOffset) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int i = 0;
    for (; i + 4 <= headSize; i += 4) {
      s0 += (double) a[aOffset + i] * b[bOffset + i];
      s1 += (double) a[aOffset + i + 1] * b[bOffset + i + 1];
      s2 += (double) a[aOffset + i + 2] * b[bOffset + i + 2];
      s3 += (double) a[aOffset + i + 3] * b[bOffset + i + 3];
    }
    for (; i < headSize; i++) {
      s0 += (double) a[aOffset + i] * b[bOffset + i];
    }
    return (s0 + s1) + (s2 + s3);
  }
}
