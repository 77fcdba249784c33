package dev.weft.runtime.backend;

/// Scales a row by its own statistics, summed in double.
sealed interface Normalization {
  /// `[rows][width]` to a new `[rows][width]`.
  default float[][] apply(float[][] rows) {
    float[][] out = new float[rows.length][];
    for (int row = 0; row < rows.length; row++) {
      out[row] = apply(rows[row]);
    }
    return out;
  }

  float[] apply(float[] row);

  /// Root mean square (Zhang and Sennrich, 2019).
  @SuppressWarnings("ArrayRecordComponent")
  record Rms(float[] weight, double epsilon) implements Normalization {
    @Override
    public float[] apply(float[] row) {
      double squares = 0;
      for (float x : row) {
        squares += (double) x * x;
      }
      double scale = 1 / Math.sqrt(squares / row.length + epsilon);
      float[] out = new float[row.length];
      for (int i = 0; i < row.length; i++) {
        out[i] = (float) (row[i] * scale) * weight[i];
      }
      return out;
    }
  }

  /// Mean and variance (Ba, Kiros and Hinton, 2016).
  @SuppressWarnings("ArrayRecordComponent")
  record Layer(float[] weight, float[] bias, double epsilon) implements Normalization {
    @Override
    public float[] apply(float[] row) {
      double sum = 0;
      for (float x : row) {
        sum += x;
      }
      double mean = sum / row.length;
      double squares = 0;
      for (float x : row) {
        squares += (x - mean) * (x - mean);
      }
      double scale = 1 / Math.sqrt(squares / row.length + epsilon);
      float[] out = new float[row.length];
      for (int i = 0; i < row.length; i++) {
        out[i] = (float) ((row[i] - mean) * scale * weight[i] + bias[i]);
      }
      return out;
    }
  }
}
