package dev.weft.runtime.cpu;

import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.AdapterWeights.Delta;
import dev.weft.runtime.model.DecoderSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Owns an adapter in the kernels' layout, in native memory of its own.
final class NativeAdapter implements AutoCloseable {
  private static final int CHANGE_FIELDS = 8;

  private final WeftCpu library;
  private final MemorySegment address;

  private NativeAdapter(WeftCpu library, MemorySegment address) {
    this.library = library;
    this.address = address;
  }

  /// Packs an adapter that fits the model.
  static NativeAdapter create(WeftCpu library, DecoderSpec spec, AdapterWeights weights) {
    var adapter = new NativeAdapter(library, library.adapterCreate(spec.layerCount()));
    try {
      for (Delta delta : weights.deltas()) {
        try (Arena scratch = Arena.ofConfined()) {
          MemorySegment change = change(delta, true, scratch);
          library.adapterSet(adapter.address, delta.layer(), role(delta), change);
        }
      }
      return adapter;
    } catch (RuntimeException | Error e) {
      adapter.close();
      throw e;
    }
  }

  /// Bytes that [#create] takes.
  static long bytes(WeftCpu library, AdapterWeights weights) {
    try (Arena scratch = Arena.ofConfined()) {
      return weights.deltas().stream()
          .mapToLong(delta -> library.adapterBytes(change(delta, false, scratch)))
          .sum();
    }
  }

  /// `struct weft_low_rank`.
  private static MemorySegment change(Delta delta, boolean data, Arena arena) {
    return new StructWriter(arena, CHANGE_FIELDS)
        .integers(delta.rank(), delta.a().shape().rowLength(), delta.b().shape().dimension(0))
        .integers(Natives.typeCode(delta.a().dtype()), Natives.typeCode(delta.b().dtype()))
        .address(data ? Natives.inNativeMemory(delta.a().data(), arena) : MemorySegment.NULL)
        .address(data ? Natives.inNativeMemory(delta.b().data(), arena) : MemorySegment.NULL)
        .real(delta.scale())
        .done();
  }

  /// `enum weft_role` begins with the parts that an adapter may change, in this order.
  private static int role(Delta delta) {
    return AdapterWeights.PARTS.indexOf(delta.part());
  }

  MemorySegment address() {
    return address;
  }

  @Override
  public void close() {
    library.adapterFree(address);
  }
}
