package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Runs the first rows of a tensor through its kernels at load and compares with plain arithmetic:
/// a wrong kernel, compiler or processor must not become wrong answers.
///
/// The inputs are whole numbers that int8 activations hold exactly, so that only the order of
/// float32 sums differs.
final class KernelCheck {
  private static final int OUTPUTS = 40;

  /// One row, and tiles of every path: few rows and many, whole tiles and what is left over.
  private static final List<Integer> ROW_COUNTS = List.of(1, 5, 12, 25);

  private static final double TOLERANCE = 1e-4;

  private KernelCheck() {}

  /// @throws NativeException when the kernels are wrong
  static void verify(CpuDevice device, Tensor tensor, Packing packing) {
    Tensor part = firstRows(tensor, Math.min(OUTPUTS, tensor.shape().rowCount()));
    float[] weights = Dequantizer.all(part);
    int inputs = Math.toIntExact(part.shape().rowLength());
    switch (packing) {
      case FILE -> {}
      case W8A8 -> quantizeRows(weights, inputs);
      case W4A8 -> LiquidQuant.round(weights, inputs);
    }
    // A device of one thread, this one: the real one may be in the middle of a step.
    try (Arena scratch = Arena.ofConfined();
        CpuDevice own = new CpuDevice(device.library(), device.isa(), 1, 0);
        PackedMatrix matrix = PackedMatrix.pack(device.library(), part, packing)) {
      for (int rows : ROW_COUNTS) {
        float[] x = inputs(rows, inputs);
        int outputs = weights.length / inputs;
        MemorySegment y = scratch.allocate(JAVA_FLOAT, (long) rows * outputs);
        own.multiply(matrix, scratch.allocateFrom(JAVA_FLOAT, x), rows, y);
        double error = worstError(weights, x, y.toArray(JAVA_FLOAT), inputs, outputs);
        if (!(error <= TOLERANCE)) {
          throw new NativeException(
              "the %s kernel for %s".formatted(device.isa().label(), tensor.dtype()),
              "gives wrong results on this machine (error %.2g at %d rows); choose another with"
                      .formatted(error, rows)
                  + " WEFT_CPU_ISA=avx2");
        }
      }
    }
  }

  private static Tensor firstRows(Tensor tensor, long rows) {
    long rowLength = tensor.shape().rowLength();
    MemorySegment data = tensor.data().asSlice(0, tensor.dtype().byteSize(rows * rowLength));
    return new Tensor(tensor.name(), tensor.dtype(), Shape.of(rows, rowLength), data);
  }

  /// What `w8a8` makes of the weights: multiples of a 127th of each row's largest.
  private static void quantizeRows(float[] weights, int inputs) {
    for (int start = 0; start < weights.length; start += inputs) {
      float highest = 0;
      for (int i = start; i < start + inputs; i++) {
        highest = Math.max(highest, Math.abs(weights[i]));
      }
      float scale = highest / 127;
      float inverse = 127 / highest;
      for (int i = start; i < start + inputs; i++) {
        weights[i] = highest == 0 ? 0 : (float) Math.rint(weights[i] * inverse) * scale;
      }
    }
  }

  /// Whole numbers up to 127, which is in every group of 32.
  private static float[] inputs(int rows, int inputs) {
    float[] x = new float[rows * inputs];
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < inputs; i++) {
        x[row * inputs + i] = i % 32 == row % 32 ? 127 : (i * 37 + row * 11) % 255 - 127;
      }
    }
    return x;
  }

  /// The largest difference, as a share of the sum of the products' magnitudes.
  private static double worstError(float[] weights, float[] x, float[] y, int inputs, int outputs) {
    double worst = 0;
    for (int row = 0; row < x.length / inputs; row++) {
      for (int output = 0; output < outputs; output++) {
        double sum = 0;
        double magnitude = 1e-30;
        for (int i = 0; i < inputs; i++) {
          double product = (double) weights[output * inputs + i] * x[row * inputs + i];
          sum += product;
          magnitude += Math.abs(product);
        }
        double error = Math.abs(sum - y[row * outputs + output]) / magnitude;
        worst = Double.isNaN(error) ? Double.POSITIVE_INFINITY : Math.max(worst, error);
      }
    }
    return worst;
  }
}
