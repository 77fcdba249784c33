package dev.weft.runtime.tensor;

import java.lang.foreign.MemorySegment;

/// Types without blocks: a block is an element.
final class FloatBlocks {
  private FloatBlocks() {}

  static void f32(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    MemorySegment.copy(data, BlockDecoder.FLOAT, offset, out, outOffset, count);
  }

  static void f16(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int i = 0; i < count; i++) {
      out[outOffset + i] = Float.float16ToFloat(data.get(BlockDecoder.SHORT, offset + 2L * i));
    }
  }

  /// The upper half of a float32.
  static void bf16(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int i = 0; i < count; i++) {
      out[outOffset + i] =
          Float.intBitsToFloat(data.get(BlockDecoder.SHORT, offset + 2L * i) << 16);
    }
  }
}
