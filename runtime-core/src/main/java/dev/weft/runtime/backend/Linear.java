package dev.weft.runtime.backend;

import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.Weights;
import org.jspecify.annotations.Nullable;

/// `y = W x + b` in float32, the weights dequantised once.
///
/// Weights are held input-major, one array an input: a row of outputs then grows by one weighted
/// array an input, a loop that the compiler turns into vector instructions while each output is
/// still summed in the order of the inputs, one fused multiply-add each. So an output depends on
/// its row alone, not on the other rows, on the split over threads, or on the width of the vectors.
final class Linear {
  /// Outputs worked on at once: the sums of a row stay in the first-level cache.
  private static final int TILE = 2048;

  /// A thread gets whole cache lines.
  private static final int GRAIN = 64;

  private final float[][] weights;
  private final float @Nullable [] bias;
  private final int outputs;

  private Linear(float[][] weights, float @Nullable [] bias, int outputs) {
    this.weights = weights;
    this.bias = bias;
    this.outputs = outputs;
  }

  /// Reads `name` (`[outputs, inputs]`), which ends in `.weight`, and the `.bias` beside it where
  /// the family has one.
  static Linear load(Weights weights, String name, int outputs, int inputs, WorkerTeam team) {
    String biasName = name.replaceFirst("\\.weight$", ".bias");
    boolean biased = weights.find(biasName).isPresent();
    float[] bias = biased ? vector(weights, biasName, outputs) : null;
    Tensor tensor = checked(weights.tensor(name), Shape.of(outputs, inputs));
    return new Linear(transpose(tensor, team), bias, outputs);
  }

  /// A matrix `[outputs, inputs]` without a bias.
  static Linear of(Tensor matrix, WorkerTeam team) {
    return new Linear(transpose(matrix, team), null, Math.toIntExact(matrix.shape().dimension(0)));
  }

  /// A tensor of one dimension.
  static float[] vector(Weights weights, String name, int length) {
    return Dequantizer.all(checked(weights.tensor(name), Shape.of(length)));
  }

  /// The first row of a tensor of rows.
  static float[] firstRow(Weights weights, String name, int length) {
    Tensor tensor = weights.tensor(name);
    checked(tensor, Shape.of(tensor.shape().rowCount(), length));
    float[] row = new float[length];
    Dequantizer.row(tensor, 0, row);
    return row;
  }

  private static Tensor checked(Tensor tensor, Shape expected) {
    if (!tensor.shape().equals(expected)) {
      throw new ModelFormatException(
          "tensor '%s' has shape %s; the model needs %s"
              .formatted(tensor.name(), tensor.shape(), expected));
    }
    return tensor;
  }

  private static float[][] transpose(Tensor tensor, WorkerTeam team) {
    int outputs = Math.toIntExact(tensor.shape().dimension(0));
    int inputs = Math.toIntExact(tensor.shape().dimension(1));
    float[][] columns = new float[inputs][outputs];
    team.run(
        outputs,
        GRAIN,
        (from, to) -> {
          float[] rows = new float[GRAIN * inputs];
          for (int first = from; first < to; first += GRAIN) {
            int count = Math.min(GRAIN, to - first);
            Dequantizer.rows(tensor, first, count, rows, 0);
            for (int input = 0; input < inputs; input++) {
              for (int row = 0; row < count; row++) {
                columns[input][first + row] = rows[row * inputs + input];
              }
            }
          }
        });
    return columns;
  }

  int outputs() {
    return outputs;
  }

  /// The weights of one output: the token's vector, where this is an embedding.
  void row(int output, float[] out) {
    for (int input = 0; input < weights.length; input++) {
      out[input] = weights[input][output];
    }
  }

  /// `[rows][inputs]` to a new `[rows][outputs]`.
  float[][] apply(float[][] rows, WorkerTeam team) {
    float[][] out = new float[rows.length][outputs];
    team.run(
        outputs,
        GRAIN,
        (from, to) -> {
          for (int tile = from; tile < to; tile += TILE) {
            apply(rows, out, tile, Math.min(to, tile + TILE));
          }
        });
    return out;
  }

  private void apply(float[][] rows, float[][] out, int from, int to) {
    if (bias != null) {
      for (float[] sums : out) {
        System.arraycopy(bias, from, sums, from, to - from);
      }
    }
    int inputs = weights.length;
    int input = 0;
    for (; input + 4 <= inputs; input += 4) {
      for (int row = 0; row < rows.length; row++) {
        accumulate(rows[row], input, out[row], from, to);
      }
    }
    for (; input < inputs; input++) {
      for (int row = 0; row < rows.length; row++) {
        accumulate(rows[row][input], weights[input], out[row], from, to);
      }
    }
  }

  /// Four inputs a pass: the sums are loaded and stored once for four products.
  private void accumulate(float[] row, int input, float[] sums, int from, int to) {
    float x0 = row[input];
    float x1 = row[input + 1];
    float x2 = row[input + 2];
    float x3 = row[input + 3];
    float[] w0 = weights[input];
    float[] w1 = weights[input + 1];
    float[] w2 = weights[input + 2];
    float[] w3 = weights[input + 3];
    for (int i = from; i < to; i++) {
      float sum = Math.fma(x0, w0[i], sums[i]);
      sum = Math.fma(x1, w1[i], sum);
      sum = Math.fma(x2, w2[i], sum);
      sums[i] = Math.fma(x3, w3[i], sum);
    }
  }

  private static void accumulate(float x, float[] w, float[] sums, int from, int to) {
    for (int i = from; i < to; i++) {
      sums[i] = Math.fma(x, w[i], sums[i]);
    }
  }
}
