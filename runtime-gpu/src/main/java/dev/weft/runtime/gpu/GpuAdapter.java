package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.AdapterWeights.Delta;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// An adapter on the device, as `adapters.cuh` reads it: `struct Adapter` with a change for each
/// matrix of each layer, room for what A gives of a step's rows, and the matrices at their files'
/// width, B turned so that outputs lie side by side.
record GpuAdapter(DeviceBuffer buffer) implements AutoCloseable {
  /// Matrices that have the same input, at most: `GROUP_MATRICES` of `adapters.cuh`.
  static final int GROUP_MATRICES = 3;

  // struct Adapter and struct Change
  private static final int HEADER_BYTES = 16;
  private static final int CHANGE_BYTES = 32;

  /// Vectors of 16 bytes are read from where a matrix begins.
  private static final long ALIGNMENT = 256;

  /// Gives each part its place.
  private static final class Places {
    private long end;

    long take(long bytes) {
      long at = Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
      end = at + bytes;
      return at;
    }
  }

  /// What an adapter of a model takes.
  ///
  /// @param layers of the model
  /// @param mostRows of a step
  static long bytes(AdapterWeights adapter, int layers, int mostRows) {
    return lay(adapter, layers, mostRows, 0, null);
  }

  /// Fills a buffer of [#bytes].
  static GpuAdapter fill(
      GpuDevice device, DeviceBuffer buffer, AdapterWeights adapter, int layers, int mostRows) {
    try (var staged = new StagedWeights(device, buffer)) {
      lay(adapter, layers, mostRows, buffer.address(), staged);
    }
    return new GpuAdapter(buffer);
  }

  /// @param address of the first byte
  /// @param sink `null` where only the number of bytes matters, which is returned
  private static long lay(
      AdapterWeights adapter, int layers, int mostRows, long address, @Nullable WeightSink sink) {
    var places = new Places();
    long mostRank = adapter.deltas().stream().mapToInt(Delta::rank).max().orElse(0);
    long headerBytes = HEADER_BYTES + (long) layers * AdapterWeights.PARTS.size() * CHANGE_BYTES;
    places.take(headerBytes);
    long inner = places.take((long) mostRows * GROUP_MATRICES * mostRank * Float.BYTES);
    MemorySegment header = MemorySegment.ofArray(new long[Math.toIntExact(headerBytes / 8)]);
    header.set(JAVA_LONG, 0, address + inner);
    header.set(JAVA_LONG, 8, mostRank);
    for (Delta delta : adapter.deltas()) {
      long a = places.take(delta.a().data().byteSize());
      long b = places.take(delta.b().data().byteSize());
      put(header, delta, address + a, address + b);
      if (sink != null) {
        sink.file(delta.a().data(), a);
        sink.computed(() -> turned(delta.b()), b);
      }
    }
    if (sink != null) {
      sink.computed(() -> header, 0);
    }
    return places.end;
  }

  /// `struct Change`.
  private static void put(MemorySegment header, Delta delta, long a, long b) {
    int part = AdapterWeights.PARTS.indexOf(delta.part());
    long at =
        HEADER_BYTES + ((long) delta.layer() * AdapterWeights.PARTS.size() + part) * CHANGE_BYTES;
    header.set(JAVA_LONG, at, a);
    header.set(JAVA_LONG, at + 8, b);
    header.set(JAVA_INT, at + 16, delta.rank());
    header.set(JAVA_INT, at + 20, code(delta.a().dtype()));
    header.set(JAVA_INT, at + 24, code(delta.b().dtype()));
    header.set(JAVA_FLOAT, at + 28, delta.scale());
  }

  private static int code(DType type) {
    return switch (type) {
      case F32 -> 0;
      case F16 -> 1;
      case BF16 -> 2;
      case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K ->
          throw new IllegalArgumentException("an adapter's matrix of " + type);
    };
  }

  /// `[outputs, rank]` as `[rank, outputs]`.
  private static MemorySegment turned(Tensor b) {
    int outputs = Math.toIntExact(b.shape().dimension(0));
    int rank = Math.toIntExact(b.shape().dimension(1));
    MemorySegment from = b.data();
    MemorySegment to = MemorySegment.ofArray(new byte[Math.toIntExact(from.byteSize())]);
    boolean wide = b.dtype() == DType.F32;
    for (int output = 0; output < outputs; output++) {
      for (int k = 0; k < rank; k++) {
        long source = (long) output * rank + k;
        long target = (long) k * outputs + output;
        if (wide) {
          to.set(JAVA_INT_UNALIGNED, target * 4, from.get(JAVA_INT_UNALIGNED, source * 4));
        } else {
          to.set(JAVA_SHORT_UNALIGNED, target * 2, from.get(JAVA_SHORT_UNALIGNED, source * 2));
        }
      }
    }
    return to;
  }

  @Override
  public void close() {
    buffer.close();
  }
}
