package dev.weft.bench.models;

import dev.weft.bench.models.ModelShape.TensorShape;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.weights.Weights;
import java.util.SplittableRandom;

/// Gives a model's weights as float32, row by row in the order of Hugging Face. Any thread.
@FunctionalInterface
public interface WeightSource {
  /// Puts row `row` at the start of `out`.
  void row(TensorShape tensor, int row, float[] out);

  /// Random values that depend on the seed, the tensor and the row alone, of a spread that keeps
  /// activations and logits in range.
  static WeightSource random(long seed) {
    return (tensor, row, out) -> {
      var random =
          new SplittableRandom(seed + 0x9e3779b97f4a7c15L * (tensor.name().hashCode() + 31L * row));
      // An embedding that is small beside what the layers add, and an output scale that makes up
      // for
      // it, so that a tied model does not just repeat its last token.
      switch (tensor.role()) {
        case EMBEDDING -> fill(out, tensor.columns(), random, 0, 0.25);
        case OUTPUT_SCALE -> fill(out, tensor.columns(), random, 4, 0.4);
        case SCALE -> fill(out, tensor.columns(), random, 1, 0.1);
        case BIAS -> fill(out, tensor.columns(), random, 0, 0.1);
        case ROTATED, MATRIX ->
            fill(out, tensor.columns(), random, 0, 1 / Math.sqrt(tensor.columns()));
      }
    };
  }

  /// About normal: a sum of four uniform numbers of 16 bits, which is all that speed allows for
  /// billions of values.
  private static void fill(
      float[] out, int count, SplittableRandom random, double mean, double deviation) {
    double scale = deviation * Math.sqrt(3) / 65536;
    for (int i = 0; i < count; i++) {
      long bits = random.nextLong();
      long sum = (bits & 0xffff) + (bits >>> 16 & 0xffff) + (bits >>> 32 & 0xffff) + (bits >>> 48);
      out[i] = (float) (mean + (sum - 131_070) * scale);
    }
  }

  /// The dequantised weights of an open GGUF file.
  static WeightSource gguf(ModelShape shape, Weights weights) {
    return (tensor, row, out) ->
        Dequantizer.row(weights.tensor(tensor.name()), shape.ggufRow(tensor, row), out);
  }

  /// Matrices rounded to the nearest of 16 levels between the smallest and the largest of each
  /// group of `groupSize` elements: the plain way to 4 bits, and what better ways are compared
  /// with.
  static WeightSource roundedToNearest(WeightSource source, int groupSize) {
    return (tensor, row, out) -> {
      source.row(tensor, row, out);
      if (tensor.rows() == 1) {
        return;
      }
      for (int from = 0; from < tensor.columns(); from += groupSize) {
        round(out, from, Math.min(tensor.columns(), from + groupSize));
      }
    };
  }

  private static void round(float[] values, int from, int to) {
    float least = Float.POSITIVE_INFINITY;
    float most = Float.NEGATIVE_INFINITY;
    for (int i = from; i < to; i++) {
      least = Math.min(least, values[i]);
      most = Math.max(most, values[i]);
    }
    float step = (most - least) / 15;
    for (int i = from; i < to && step > 0; i++) {
      values[i] = least + Math.round((values[i] - least) / step) * step;
    }
  }
}
