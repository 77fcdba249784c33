package dev.weft.runtime.cpu;

import dev.weft.runtime.cpu.packed.PackedCache;
import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// A team of native workers with its kernels; the thread that runs steps is one of them. Matrices,
/// decoders and encoders are made here and must be closed before it.
final class CpuDevice implements AutoCloseable {
  /// `MOST_WIDE_INPUTS` of `matrix.h`: the most of a matrix packed as `w8a8` or `w4a8`.
  private static final int MOST_WIDE_INPUTS = 65_536;

  private final WeftCpu library;
  private final Isa isa;
  private final int threads;
  private final MemorySegment address;
  private final CheckedKernels checkedKernels;
  private final Optional<PackedCache> packedCache;

  /// @throws NativeException when the machine does not have the instruction set
  CpuDevice(WeftCpu library, Isa isa, int threads, int spins) {
    this(library, isa, threads, spins, CheckedKernels.inMemory(), Optional.empty());
  }

  /// @param checkedKernels those that need no check on this machine
  /// @param packedCache where packed weights are kept
  CpuDevice(
      WeftCpu library,
      Isa isa,
      int threads,
      int spins,
      CheckedKernels checkedKernels,
      Optional<PackedCache> packedCache) {
    this.library = library;
    this.checkedKernels = checkedKernels;
    this.packedCache = packedCache;
    this.isa = isa;
    this.threads = threads;
    if (isa.code() > library.isa()) {
      throw new NativeException(isa.label(), "is not there on this machine");
    }
    address = library.deviceOpen(isa.code(), threads, spins);
  }

  CheckedKernels checkedKernels() {
    return checkedKernels;
  }

  /// Where packed weights are kept, if they are.
  Optional<PackedCache> packedCache() {
    return packedCache;
  }

  WeftCpu library() {
    return library;
  }

  Isa isa() {
    return isa;
  }

  int threads() {
    return threads;
  }

  MemorySegment address() {
    return address;
  }

  /// `y[rows][outputs] = x[rows][inputs] * matrix^T`, by the kernels of a step.
  void multiply(PackedMatrix matrix, MemorySegment x, long rows, MemorySegment y) {
    library.matmul(address, matrix.address(), x, rows, y);
  }

  /// Bytes that [PackedMatrix#pack] takes for a tensor.
  long packedBytes(Tensor tensor, Packing packing) {
    long bytes =
        library.matrixBytes(
            Natives.typeCode(tensor.dtype()),
            tensor.shape().rowCount(),
            tensor.shape().rowLength(),
            packing.code());
    if (bytes < 0) {
      throw new IllegalArgumentException(
          tensor.shape().rowLength() > MOST_WIDE_INPUTS
              ? "%s %s has more inputs than %s multiplies: %d"
                  .formatted(tensor.name(), tensor.shape(), packing, MOST_WIDE_INPUTS)
              : "%s %s does not fill blocks of %s"
                  .formatted(tensor.name(), tensor.shape(), tensor.dtype()));
    }
    return bytes;
  }

  @Override
  public void close() {
    library.deviceClose(address);
    packedCache.ifPresent(PackedCache::close);
  }
}
