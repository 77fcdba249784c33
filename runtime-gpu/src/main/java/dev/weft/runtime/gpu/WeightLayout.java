package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
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

/// Gives each tensor of a model its place in one buffer, and copies it there; without a buffer it
/// only counts. Rows are kept as the file has them.
final class WeightLayout {
  /// Places begin at a multiple of this, so that vectors of 16 bytes can be read.
  private static final long ALIGNMENT = 256;

  private final Weights weights;
  private final @Nullable Copier copier;
  private long end;

  private WeightLayout(Weights weights, @Nullable Copier copier) {
    this.weights = weights;
    this.copier = copier;
  }

  /// One that counts.
  static WeightLayout counting(Weights weights) {
    return new WeightLayout(weights, null);
  }

  /// One that copies.
  static WeightLayout copying(Weights weights, Copier copier) {
    return new WeightLayout(weights, copier);
  }

  /// Bytes up to here.
  long bytes() {
    return end;
  }

  /// What is copied into, if anything is.
  @Nullable DeviceBuffer buffer() {
    return copier == null ? null : copier.buffer;
  }

  /// A matrix whose rows are looked up or multiplied with.
  GpuMatrix table(String name, int rows, int width) {
    return matrix(List.of(tensor(name, rows, width)), rows, width);
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
      put(tensor.data());
    }
    return new GpuMatrix(
        address, run.getFirst().dtype(), outputs, inputs, bias(run, outputs).orElse(0L));
  }

  /// The biases of matrices that became one, zeros for those without.
  private Optional<Long> bias(List<Tensor> run, int outputs) {
    float[] all = new float[outputs];
    boolean any = false;
    int from = 0;
    for (Tensor tensor : run) {
      int count = Math.toIntExact(tensor.shape().dimension(0));
      String name = tensor.name().replaceFirst("\\.weight$", ".bias");
      if (!name.equals(tensor.name()) && weights.find(name).isPresent()) {
        System.arraycopy(read(name, count), 0, all, from, count);
        any = true;
      }
      from += count;
    }
    return any ? Optional.of(floats(all)) : Optional.empty();
  }

  /// A tensor of one dimension, in float32.
  long vector(String name, int length) {
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
    return copier == null ? 0 : copier.buffer.address() + end;
  }

  private void put(MemorySegment data) {
    if (copier != null) {
      copier.copy(data, end);
    }
    end += data.byteSize();
  }

  /// Copies files to the device by way of pinned memory, half of which is read into while the other
  /// half is on its way.
  static final class Copier implements AutoCloseable {
    private static final long HALF_BYTES = 8L << 20;

    private final GpuDevice device;
    private final DeviceBuffer buffer;
    private final PinnedBuffer pinned;
    private final CudaStream stream;
    private int half;

    /// @param buffer that is filled
    Copier(GpuDevice device, DeviceBuffer buffer) {
      this.device = device;
      this.buffer = buffer;
      pinned = new PinnedBuffer(device.context(), 2 * HALF_BYTES);
      stream = new CudaStream(device.context());
    }

    private void copy(MemorySegment data, long to) {
      for (long done = 0; done < data.byteSize(); done += HALF_BYTES) {
        long count = Math.min(HALF_BYTES, data.byteSize() - done);
        MemorySegment part = pinned.segment().asSlice(half * HALF_BYTES, count);
        // The half before is under way while this one is read.
        MemorySegment.copy(data, JAVA_BYTE, done, part, JAVA_BYTE, 0, count);
        stream.synchronize();
        stream.copyToDevice(part, buffer.address() + to + done);
        half = 1 - half;
      }
    }

    @Override
    public void close() {
      device.context().bind();
      try {
        stream.synchronize();
      } finally {
        stream.close();
        pinned.close();
      }
    }
  }
}
