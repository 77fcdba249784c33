package dev.weft.runtime.cpu;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A model's weights as one executable needs them: matrices packed, tables borrowed from the files.
/// Closing frees what was packed. Not thread-safe.
final class PackedWeights implements AutoCloseable {
  private final CpuDevice device;
  private final Weights weights;
  private final Packing packing;
  private final Arena arena = Arena.ofShared();
  private Optional<MatrixPacker.Packed> packed = Optional.empty();
  private Optional<Thread> reading = Optional.empty();

  /// A projection and where it goes.
  ///
  /// @param layer -1 for the model's own
  /// @param name without `.weight`
  record Projection(int layer, int role, String name, int outputs, int inputs) {
    String weightName() {
      return name + ".weight";
    }

    String biasName() {
      return name + ".bias";
    }
  }

  /// Receives packed projections, in order.
  @FunctionalInterface
  interface Target {
    void set(Projection projection, MemorySegment matrix);
  }

  PackedWeights(CpuDevice device, Weights weights, Packing packing) {
    this.device = device;
    this.weights = weights;
    this.packing = packing;
  }

  /// Packs projections, or maps what was packed before, and hands them to `target`. One matrix of
  /// each type is checked against plain arithmetic first.
  void pack(List<Projection> projections, Target target) {
    checkKernels(projections);
    List<Tensor> tensors = projections.stream().map(this::checked).toList();
    MatrixPacker.Packed made = new MatrixPacker(device, packing).pack(tensors, weights.files());
    packed = Optional.of(made);
    willNeed();
    for (int i = 0; i < tensors.size(); i++) {
      target.set(projections.get(i), made.matrices().get(i).address());
    }
  }

  /// Begins to read the weights that the system has dropped from memory, and returns at once.
  void willNeed() {
    packed
        .flatMap(MatrixPacker.Packed::file)
        .ifPresent(file -> {
          awaitReading();
          reading =
              Optional.of(
                  Thread.ofPlatform()
                      .name("weft-read")
                      .daemon()
                      .start(() -> device.library().willNeed(file.bytes())));
        });
  }

  private void awaitReading() {
    reading.ifPresent(thread -> {
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
  }

  private void checkKernels(List<Projection> projections) {
    Map<DType, Tensor> types = new EnumMap<>(DType.class);
    for (Projection projection : projections) {
      Tensor tensor = checked(projection);
      types.putIfAbsent(tensor.dtype(), tensor);
    }
    CheckedKernels checked = device.checkedKernels();
    for (Tensor tensor : types.values()) {
      if (!checked.has(device.isa(), tensor.dtype(), packing)) {
        KernelCheck.verify(device, tensor, packing);
        checked.add(device.isa(), tensor.dtype(), packing);
      }
    }
  }

  private Tensor checked(Projection projection) {
    return table(projection.weightName(), projection.outputs(), projection.inputs());
  }

  /// A tensor of rows, its shape checked.
  Tensor table(String name, long rows, long columns) {
    return expect(weights.tensor(name), Shape.of(rows, columns));
  }

  private static Tensor expect(Tensor tensor, Shape shape) {
    if (!tensor.shape().equals(shape)) {
      throw new ModelFormatException(
          "tensor '%s' has shape %s; the model needs %s"
              .formatted(tensor.name(), tensor.shape(), shape));
    }
    return tensor;
  }

  /// A table's bytes for as long as this is open.
  MemorySegment borrow(Tensor table) {
    return Natives.inNativeMemory(table.data(), arena);
  }

  /// A vector as floats, for as long as this is open.
  MemorySegment vector(String name, long length) {
    return Natives.floats(expect(weights.tensor(name), Shape.of(length)), arena);
  }

  /// As [#vector], if the model has it.
  Optional<MemorySegment> findVector(String name, long length) {
    return weights
        .find(name)
        .map(tensor -> Natives.floats(expect(tensor, Shape.of(length)), arena));
  }

  @Override
  public void close() {
    awaitReading();
    packed.ifPresent(MatrixPacker.Packed::close);
    arena.close();
  }
}
