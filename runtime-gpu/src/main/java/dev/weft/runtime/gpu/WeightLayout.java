package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Gives each tensor of a model its place in one buffer, and what lies there to a sink; without one
/// it reads no tensor. Rows are kept as the file has them. Places follow each other in the order in
/// which they are asked for, which is that of their use, and are divided into stages.
final class WeightLayout {
  /// Places begin at a multiple of this, so that vectors of 16 bytes can be read.
  private static final long ALIGNMENT = 256;

  private final Weights weights;
  private final @Nullable WeightBuffer buffer;
  private final @Nullable WeightSink sink;
  private final List<Long> stageEnds = new ArrayList<>();
  private long end;

  /// @param buffer in which the places are; `null` where only their number of bytes matters, or
  ///   what lies there
  /// @param sink `null` where it lies there already
  WeightLayout(Weights weights, @Nullable WeightBuffer buffer, @Nullable WeightSink sink) {
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
  @Nullable WeightBuffer buffer() {
    return buffer;
  }

  /// Says that all places since the last stage are used together.
  void endStage() {
    stageEnds.add(end);
    if (sink != null) {
      sink.endStage(end);
    }
  }

  /// Of each stage so far, counted from the beginning.
  List<Long> stageEnds() {
    return List.copyOf(stageEnds);
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
    Map<Integer, Tensor> biases = new HashMap<>();
    int from = 0;
    for (Tensor matrix : run) {
      int count = Math.toIntExact(matrix.shape().dimension(0));
      if (hasBias(matrix)) {
        biases.put(from, checked(weights.tensor(biasName(matrix)), Shape.of(count)));
      }
      from += count;
    }
    return biases.isEmpty()
        ? Optional.empty()
        : Optional.of(computed(outputs * (long) Float.BYTES, () -> together(biases, outputs)));
  }

  /// @param biases by the output that each begins with
  private static MemorySegment together(Map<Integer, Tensor> biases, int outputs) {
    float[] all = new float[outputs];
    biases.forEach((from, bias) -> {
      float[] values = Dequantizer.all(bias);
      System.arraycopy(values, 0, all, from, values.length);
    });
    return MemorySegment.ofArray(all);
  }

  private boolean hasBias(Tensor tensor) {
    String name = biasName(tensor);
    return !name.equals(tensor.name()) && weights.find(name).isPresent();
  }

  private static String biasName(Tensor tensor) {
    return tensor.name().replaceFirst("\\.weight$", ".bias");
  }

  private long computed(long bytes, Supplier<MemorySegment> data) {
    long address = place();
    if (sink != null) {
      sink.computed(data, end);
    }
    end += bytes;
    return address;
  }

  /// A tensor of one dimension, in float32.
  long vector(String name, int length) {
    Tensor tensor = checked(weights.tensor(name), Shape.of(length));
    return computed(
        length * (long) Float.BYTES, () -> MemorySegment.ofArray(Dequantizer.all(tensor)));
  }

  long doubles(double[] values) {
    return computed(values.length * (long) Double.BYTES, () -> MemorySegment.ofArray(values));
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
    return buffer == null ? 0 : buffer.memory().address() + end;
  }
}
