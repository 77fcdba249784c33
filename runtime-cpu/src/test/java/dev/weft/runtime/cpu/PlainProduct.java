package dev.weft.runtime.cpu;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Tensor;

/// `y = x W^T` as the kernels define it, in double: activations and weights rounded as they are,
/// sums exact.
final class PlainProduct {
  private static final int GROUP = 32;

  /// The largest of 8 bits, and of the two digits of activations with one scale a row.
  private static final int BYTE = 127;

  private static final int WIDEST = 127 * 128;

  private PlainProduct() {}

  /// A product and the magnitude that its error is measured against.
  record Value(double sum, double magnitude) {}

  /// Weights as the kernel for this type holds them.
  static float[] weights(Tensor tensor, Packing packing) {
    float[] weights = Dequantizer.all(tensor);
    int inputs = Math.toIntExact(tensor.shape().rowLength());
    switch (packing) {
      case FILE -> {}
      case W8A8 -> {
        for (int start = 0; start < weights.length; start += inputs) {
          round(weights, start, start + inputs, BYTE);
        }
      }
      case W4A8 -> LiquidQuant.round(weights, inputs);
    }
    return weights;
  }

  /// Activations as the kernel for this type holds them.
  static float[] activations(float[] x, int inputs, DType type, Packing packing, Isa isa) {
    float[] rounded = x.clone();
    if (packing != Packing.FILE) {
      for (int row = 0; row < x.length; row += inputs) {
        round(rounded, row, row + inputs, WIDEST);
      }
    } else if (type.quantized()) {
      for (int row = 0; row < x.length; row += inputs) {
        for (int start = row; start < row + inputs; start += GROUP) {
          round(rounded, start, Math.min(start + GROUP, row + inputs), BYTE);
        }
      }
    } else if (type == DType.BF16 && isa.multipliesBf16()) {
      for (int i = 0; i < x.length; i++) {
        rounded[i] = toBf16(x[i]);
      }
    }
    return rounded;
  }

  /// Nearest, ties to even; subnormal numbers are zeros there.
  private static float toBf16(float x) {
    int bits = Float.floatToRawIntBits(x);
    int rounded = (bits + 0x7fff + (bits >>> 16 & 1)) & 0xffff0000;
    return Math.abs(x) < Float.MIN_NORMAL ? 0 : Float.intBitsToFloat(rounded);
  }

  /// To whole multiples, up to `most`, of a part of the largest.
  private static void round(float[] values, int from, int to, int most) {
    float highest = 0;
    for (int i = from; i < to; i++) {
      highest = Math.max(highest, Math.abs(values[i]));
    }
    boolean zero = !(highest > 1e-30f);
    float inverse = most / highest;
    float scale = highest / most;
    for (int i = from; i < to; i++) {
      values[i] = zero ? 0 : (float) Math.rint(values[i] * inverse) * scale;
    }
  }

  static Value product(float[] weights, int output, float[] x, int row, int inputs) {
    double sum = 0;
    double magnitude = 0;
    for (int i = 0; i < inputs; i++) {
      double term = (double) weights[output * inputs + i] * x[row * inputs + i];
      sum += term;
      magnitude += Math.abs(term);
    }
    return new Value(sum, magnitude);
  }
}
