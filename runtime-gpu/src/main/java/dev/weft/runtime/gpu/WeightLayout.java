package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Gives each tensor of a model its place in one buffer, and what lies there to a sink; without one
/// it reads no tensor. Rows are kept as the file has them.
final class WeightLayout {
  /// Places begin at a multiple of this, so that vectors of 16 bytes can be read.
  private static final long ALIGNMENT = 256;

  private final Weights weights;
  private final @Nullable DeviceBuffer buffer;
  private final @Nullable WeightSink sink;
  private long end;

  /// @param buffer in which the places are; `null` where only their number of bytes matters, or
  ///   what lies there
  /// @param sink `null` where it lies there already
  WeightLayout(Weights weights, @Nullable DeviceBuffer buffer, @Nullable WeightSink sink) {
    this.weights = weights;
    this.buffer = buffer;
    this.sink = sink;
  }

  /// One that counts.
  static WeightLayout counting(Weights weights) {
    return new WeightLayout(weights, null, null);
  }

  /// Bytes up to here.
  long bytes() {
    return end;
  }

  /// In which the places are, if they are anywhere.
  @Nullable DeviceBuffer buffer() {
    return buffer;
  }

  /// A matrix whose rows are looked up or multiplied with.
  GpuMatrix table(String name, int rows, int width) {
    return matrix(List.of(tensor(name, rows, width)), rows, width);
  }

  /// A matrix of as many rows as the model has.
  GpuMatrix table(String name, int width) {
    return table(name, Math.toIntExact(weights.tensor(name).shape().rowCount()), width);
  }

  /// Matrices of the same inputs; those of one type that follow each other become one.
  Projection projection(List<String> names, List<Integer> outputs, int inputs) {
    List<GpuMatrix> parts = new ArrayList<>();
    List<Tensor> run = new ArrayList<>();
    int runOutputs = 0;
    for (int i = 0; i < names.size(); i++) {
      Tensor tensor = tensor(names.get(i), outputs.get(i), inputs);
      if (!run.isEmpty() && run.getFirst().dtype() != tensor.dtype()) {
        parts.add(matrix(run, runOutputs, inputs));
        run.clear();
        runOutputs = 0;
      }
      run.add(tensor);
      runOutputs += outputs.get(i);
    }
    parts.add(matrix(run, runOutputs, inputs));
    return new Projection(parts);
  }

  private GpuMatrix matrix(List<Tensor> run, int outputs, int inputs) {
    long address = place();
    for (Tensor tensor : run) {
      if (sink != null) {
        sink.file(tensor.data(), end);
      }
      end += tensor.data().byteSize();
    }
    return new GpuMatrix(
        address, run.getFirst().dtype(), outputs, inputs, bias(run, outputs).orElse(0L));
  }

  /// The biases of matrices that became one, zeros for those without.
  private Optional<Long> bias(List<Tensor> run, int outputs) {
    if (run.stream().noneMatch(this::hasBias)) {
      return Optional.empty();
    }
    if (sink == null) {
      return Optional.of(space(outputs * (long) Float.BYTES));
    }
    float[] all = new float[outputs];
    int from = 0;
    for (Tensor tensor : run) {
      int count = Math.toIntExact(tensor.shape().dimension(0));
      if (hasBias(tensor)) {
        System.arraycopy(read(biasName(tensor), count), 0, all, from, count);
      }
      from += count;
    }
    return Optional.of(floats(all));
  }

  private boolean hasBias(Tensor tensor) {
    String name = biasName(tensor);
    return !name.equals(tensor.name()) && weights.find(name).isPresent();
  }

  private static String biasName(Tensor tensor) {
    return tensor.name().replaceFirst("\\.weight$", ".bias");
  }

  /// A place for what lies there already.
  private long space(long bytes) {
    long address = place();
    end += bytes;
    return address;
  }

  /// A tensor of one dimension, in float32.
  long vector(String name, int length) {
    if (sink == null) {
      checked(weights.tensor(name), Shape.of(length));
      return space(length * (long) Float.BYTES);
    }
    return floats(read(name, length));
  }

  private float[] read(String name, int length) {
    return Dequantizer.all(checked(weights.tensor(name), Shape.of(length)));
  }

  private long floats(float[] values) {
    try (Arena scratch = Arena.ofConfined()) {
      long address = place();
      put(scratch.allocateFrom(ValueLayout.JAVA_FLOAT, values));
      return address;
    }
  }

  long doubles(double[] values) {
    try (Arena scratch = Arena.ofConfined()) {
      long address = place();
      put(scratch.allocateFrom(ValueLayout.JAVA_DOUBLE, values));
      return address;
    }
  }

  /// Throws where the model does not have it.
  void require(String name) {
    weights.tensor(name);
  }

  private Tensor tensor(String name, int outputs, int inputs) {
    return checked(weights.tensor(name), Shape.of(outputs, inputs));
  }

  private static Tensor checked(Tensor tensor, Shape expected) {
    if (!tensor.shape().equals(expected)) {
      throw new ModelFormatException(
          "tensor '%s' has shape %s; the model needs %s"
              .formatted(tensor.name(), tensor.shape(), expected));
    }
    return tensor;
  }

  private long place() {
    end = Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
    return buffer == null ? 0 : buffer.address() + end;
  }

  private void put(MemorySegment data) {
    if (sink != null) {
      sink.computed(data, end);
    }
    end += data.byteSize();
  }
}
