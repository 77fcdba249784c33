package dev.weft.runtime.cpu;

import dev.weft.runtime.cpu.memory.FreedMemory;
import dev.weft.runtime.cpu.packed.PackedCache;
import dev.weft.runtime.cpu.packed.PackedContents;
import dev.weft.runtime.cpu.packed.PackedFile;
import dev.weft.runtime.cpu.packed.PackedWriter;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.SourceFile;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes a model's matrices. Those that were packed before are mapped; others are packed, through a
/// file that is kept for the next time, and mapped from there. Where nothing can be kept they are
/// packed into memory.
final class MatrixPacker {
  private static final Logger log = LoggerFactory.getLogger(MatrixPacker.class);

  /// Matrices that are packed ahead of the one that is being written, for each thread.
  private static final int AHEAD = 3;

  private final CpuDevice device;
  private final Packing packing;

  MatrixPacker(CpuDevice device, Packing packing) {
    this.device = device;
    this.packing = packing;
  }

  /// Matrices, in the order of their tensors; closing frees them all.
  ///
  /// @param file what they lie in; empty when that is memory of their own
  record Packed(List<PackedMatrix> matrices, Optional<PackedFile> file) implements AutoCloseable {
    @Override
    public void close() {
      matrices.forEach(PackedMatrix::close);
      file.ifPresent(PackedFile::close);
    }
  }

  /// @param sources the files that all of the tensors lie in; empty keeps nothing
  Packed pack(List<Tensor> tensors, List<SourceFile> sources) {
    if (sources.isEmpty() || device.packedCache().isEmpty()) {
      return inMemory(tensors);
    }
    PackedCache cache = device.packedCache().get();
    PackedContents contents = contents(tensors, sources);
    Optional<PackedFile> kept = cache.find(contents);
    if (kept.isPresent()) {
      return mapped(kept.get(), tensors);
    }
    try {
      Optional<PackedWriter> writer = cache.create(contents);
      if (writer.isPresent()) {
        return written(writer.get(), tensors);
      }
    } catch (IOException e) {
      log.atWarn()
          .addKeyValue("reason", e.toString())
          .log("packed weights cannot be written; they are kept in memory");
    }
    return inMemory(tensors);
  }

  private PackedContents contents(List<Tensor> tensors, List<SourceFile> sources) {
    return new PackedContents(
        device.library().layout(),
        sources,
        tensors.stream()
            .map(tensor ->
                new PackedContents.Matrix(
                    tensor.name(),
                    tensor.dtype().name(),
                    tensor.shape().rowCount(),
                    tensor.shape().rowLength(),
                    packing.name(),
                    device.packedBytes(tensor, packing)))
            .toList());
  }

  private Packed mapped(PackedFile file, List<Tensor> tensors) {
    device.library().mapHuge(file.bytes());
    List<PackedMatrix> matrices = new ArrayList<>();
    for (int i = 0; i < tensors.size(); i++) {
      matrices.add(PackedMatrix.wrap(device.library(), tensors.get(i), packing, file.matrix(i)));
    }
    return new Packed(matrices, Optional.of(file));
  }

  private Packed written(PackedWriter writer, List<Tensor> tensors) throws IOException {
    try (writer) {
      packInOrder(
          tensors,
          (tensor, matrix) -> {
            try (matrix) {
              writer.append(matrix.data(device.packedBytes(tensor, packing)));
            }
          });
      return mapped(writer.finish(), tensors);
    }
  }

  private Packed inMemory(List<Tensor> tensors) {
    List<PackedMatrix> matrices = new ArrayList<>();
    try {
      packInOrder(tensors, (_, matrix) -> matrices.add(matrix));
      return new Packed(matrices, Optional.empty());
    } catch (IOException e) {
      throw new AssertionError("nothing was written", e);
    } catch (RuntimeException | Error e) {
      matrices.forEach(PackedMatrix::close);
      throw e;
    }
  }

  /// Takes a packed matrix over.
  private interface Sink {
    void accept(Tensor tensor, PackedMatrix matrix) throws IOException;
  }

  /// Packs on as many threads as the device has, and hands the matrices to `sink` on this one.
  private void packInOrder(List<Tensor> tensors, Sink sink) throws IOException {
    ExecutorService packers = packers();
    Deque<Future<PackedMatrix>> underWay = new ArrayDeque<>();
    int begun = 0;
    try {
      for (Tensor tensor : tensors) {
        for (; begun < tensors.size() && underWay.size() < AHEAD * device.threads(); begun++) {
          Tensor next = tensors.get(begun);
          underWay.add(packers.submit(() -> pack(next)));
        }
        sink.accept(tensor, join(underWay.remove()));
      }
    } finally {
      packers.close();
      underWay.stream()
          .filter(left -> left.state() == Future.State.SUCCESS)
          .forEach(left -> left.resultNow().close());
      // Hundreds of megabytes of a large model went through the heaps of the packers' threads.
      FreedMemory.giveBack();
    }
  }

  /// They give way to what is being served meanwhile.
  private ExecutorService packers() {
    return Executors.newFixedThreadPool(
        device.threads(),
        task ->
            Thread.ofPlatform()
                .name("weft-pack")
                .daemon()
                .unstarted(() -> {
                  device.library().unhurried();
                  task.run();
                }));
  }

  private PackedMatrix pack(Tensor tensor) {
    PackedMatrix matrix = PackedMatrix.pack(device.library(), tensor, packing);
    if (tensor.data().isMapped()) {
      // Read once: its pages need not count as this process's memory.
      tensor.data().unload();
    }
    return matrix;
  }

  private static PackedMatrix join(Future<PackedMatrix> packed) {
    try {
      return packed.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case RuntimeException cause -> throw cause;
        case Error cause -> throw cause;
        case null, default -> throw new IllegalStateException("packing failed", e);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while weights were packed", e);
    }
  }
}
