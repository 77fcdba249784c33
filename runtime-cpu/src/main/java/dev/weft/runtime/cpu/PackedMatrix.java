package dev.weft.runtime.cpu;

import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A tensor in the kernels' layout, in native memory of its own or borrowed.
final class PackedMatrix implements AutoCloseable {
  private final WeftCpu library;
  private final MemorySegment address;

  private PackedMatrix(WeftCpu library, MemorySegment address) {
    this.library = library;
    this.address = address;
  }

  /// Packs at the tensor's own bit width, or to int8 per output.
  static PackedMatrix pack(WeftCpu library, Tensor tensor, Packing packing) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment matrix =
          library.matrixPack(
              Natives.typeCode(tensor.dtype()),
              Natives.inNativeMemory(tensor.data(), scratch),
              tensor.shape().rowCount(),
              tensor.shape().rowLength(),
              packing.code());
      return new PackedMatrix(library, matrix);
    }
  }

  /// A matrix over the bytes that packing such a tensor gives, which must outlive it.
  static PackedMatrix wrap(WeftCpu library, Tensor tensor, Packing packing, MemorySegment packed) {
    return new PackedMatrix(
        library,
        library.matrixWrap(
            Natives.typeCode(tensor.dtype()),
            packed,
            tensor.shape().rowCount(),
            tensor.shape().rowLength(),
            packing.code()));
  }

  /// The packed bytes, for as long as this is open.
  ///
  /// @param bytes of the whole matrix
  @SuppressWarnings("restricted")
  MemorySegment data(long bytes) {
    return library.matrixData(address).reinterpret(bytes).asReadOnly();
  }

  MemorySegment address() {
    return address;
  }

  @Override
  public void close() {
    library.matrixFree(address);
  }
}
