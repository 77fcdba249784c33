package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Gets Java memory to where C can read it.
final class Natives {
  private static final long ALIGNMENT = 64;

  private Natives() {}

  /// `enum weft_dtype`
  static int typeCode(DType type) {
    return switch (type) {
      case F32 -> 0;
      case F16 -> 1;
      case BF16 -> 2;
      case Q8_0 -> 3;
      case Q4_0 -> 4;
      case Q4_1 -> 5;
      case Q5_0 -> 6;
      case Q5_1 -> 7;
      case Q4_K -> 8;
      case Q5_K -> 9;
      case Q6_K -> 10;
    };
  }

  /// The segment itself, or a copy when it is on the heap.
  static MemorySegment inNativeMemory(MemorySegment data, Arena arena) {
    return data.isNative() ? data : arena.allocate(data.byteSize(), ALIGNMENT).copyFrom(data);
  }

  /// Memory that is mapped there, and stays so for as long as the segment is used.
  @SuppressWarnings("restricted")
  static MemorySegment memory(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  /// A tensor's elements as floats.
  static MemorySegment floats(Tensor tensor, Arena arena) {
    return arena.allocateFrom(JAVA_FLOAT, Dequantizer.all(tensor));
  }
}
