package dev.weft.runtime.cpu;

import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A tensor in the kernels' layout, in native memory of its own.
final class PackedMatrix implements AutoCloseable {
  private final WeftCpu library;
  private final MemorySegment address;

  private PackedMatrix(WeftCpu library, MemorySegment address) {
    this.library = library;
    this.address = address;
  }

  /// Packs at the tensor's own bit width, or to int8 per output.
  static PackedMatrix pack(WeftCpu library, Tensor tensor, boolean w8a8) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment matrix =
          library.matrixPack(
              Natives.typeCode(tensor.dtype()),
              Natives.inNativeMemory(tensor.data(), scratch),
              tensor.shape().rowCount(),
              tensor.shape().rowLength(),
              w8a8 ? 1 : 0);
      return new PackedMatrix(library, matrix);
    }
  }

  MemorySegment address() {
    return address;
  }

  @Override
  public void close() {
    library.matrixFree(address);
  }
}
