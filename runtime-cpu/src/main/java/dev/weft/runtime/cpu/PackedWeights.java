package dev.weft.runtime.cpu;

import dev.weft.runtime.cpu.onednn.OneDnnModel;
import dev.weft.runtime.cpu.onednn.WeightType;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/// A model's weights as one executable needs them: matrices packed, tables borrowed from the files.
/// Closing frees what was packed. Not thread-safe.
final class PackedWeights implements AutoCloseable {
  private final CpuDevice device;
  private final Weights weights;
  private final Packing packing;
  private final Arena arena = Arena.ofShared();
  private final Optional<OneDnnModel> oneDnn;
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

  /// @param projections all that will be packed
  PackedWeights(CpuDevice device, Weights weights, Packing packing, List<Projection> projections) {
    this.device = device;
    this.weights = weights;
    this.packing = packing;
    int widest = widestSlice(device, weights, packing, projections);
    oneDnn =
        widest == 0
            ? Optional.empty()
            : device.oneDnn().map(engine -> new OneDnnModel(engine, device.threads(), widest));
  }

  /// What oneDNN takes beside the packed matrices: its own copies, and scratch of the workers.
  static long oneDnnBytes(
      CpuDevice device, Weights weights, Packing packing, List<Projection> projections) {
    int widest = widestSlice(device, weights, packing, projections);
    if (widest == 0 || device.oneDnn().isEmpty()) {
      return 0;
    }
    long copies =
        projections.stream()
            .filter(each -> weightType(each, weights, packing).isPresent())
            .mapToLong(
                each -> (long) each.outputs() * each.inputs() * (packing == Packing.W8A8 ? 1 : 2))
            .sum();
    return copies + 2L * device.threads() * OneDnnModel.scratchBytes(widest);
  }

  /// The most outputs that one worker multiplies through oneDNN; 0 when it is of no use here.
  private static int widestSlice(
      CpuDevice device, Weights weights, Packing packing, List<Projection> projections) {
    return projections.stream()
        .filter(each -> weightType(each, weights, packing).isPresent())
        .mapToInt(each -> OneDnnModel.sliceOutputs(each.outputs(), device.threads()))
        .max()
        .orElse(0);
  }

  /// What oneDNN can multiply. Not the model's own output: few rows ask for it.
  private static Optional<WeightType> weightType(
      Projection projection, Weights weights, Packing packing) {
    if (projection.layer() < 0 || !OneDnnModel.supports(projection.outputs())) {
      return Optional.empty();
    }
    if (packing == Packing.W8A8) {
      return Optional.of(WeightType.INT8);
    }
    return weights.tensor(projection.weightName()).dtype() == DType.BF16
        ? Optional.of(WeightType.BF16)
        : Optional.empty();
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
    oneDnn.ifPresent(model -> addOneDnn(model, projections, made));
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

  /// Makes oneDNN's copies, on as many threads as the device has.
  private void addOneDnn(
      OneDnnModel model, List<Projection> projections, MatrixPacker.Packed made) {
    try (ExecutorService threads =
        Executors.newFixedThreadPool(
            device.threads(), Thread.ofPlatform().name("weft-onednn-", 0).daemon().factory())) {
      List<CompletableFuture<Void>> added = new ArrayList<>();
      for (int i = 0; i < projections.size(); i++) {
        Projection projection = projections.get(i);
        PackedMatrix matrix = made.matrices().get(i);
        weightType(projection, weights, packing)
            .ifPresent(type ->
                added.add(
                    CompletableFuture.runAsync(
                        () -> addOneDnn(model, type, projection, checked(projection), matrix),
                        threads)));
      }
      added.forEach(CompletableFuture::join);
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private void addOneDnn(
      OneDnnModel model,
      WeightType type,
      Projection projection,
      Tensor tensor,
      PackedMatrix matrix) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment rowMajor =
          switch (type) {
            case INT8 -> matrix.values(projection.outputs(), projection.inputs(), scratch);
            case BF16 -> Natives.inNativeMemory(tensor.data(), scratch);
          };
      model
          .add(type, projection.inputs(), projection.outputs(), rowMajor)
          .ifPresent(matrix::multiplyManyRowsBy);
    }
  }

  private void checkKernels(List<Projection> projections) {
    Map<DType, Tensor> types = new EnumMap<>(DType.class);
    for (Projection projection : projections) {
      Tensor tensor = checked(projection);
      types.putIfAbsent(tensor.dtype(), tensor);
    }
    types.values().forEach(tensor -> KernelCheck.verify(device, tensor, packing));
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
    oneDnn.ifPresent(OneDnnModel::close);
    arena.close();
  }
}
