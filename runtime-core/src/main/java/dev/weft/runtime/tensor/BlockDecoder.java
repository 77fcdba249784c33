package dev.weft.runtime.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Turns runs of blocks of one [DType] into float32, exactly as ggml defines them: the same
/// operations in the same order, so results are equal bit for bit.
@FunctionalInterface
interface BlockDecoder {
  ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /// Decodes `blockCount` blocks that start at byte `offset` of `data` into `out` from `outOffset`.
  void decode(MemorySegment data, long offset, int blockCount, float[] out, int outOffset);

  static BlockDecoder of(DType type) {
    return switch (type) {
      case F32 -> FloatBlocks::f32;
      case F16 -> FloatBlocks::f16;
      case BF16 -> FloatBlocks::bf16;
      case Q8_0 -> LegacyBlocks::q8x0;
      case Q4_0 -> LegacyBlocks::q4x0;
      case Q4_1 -> LegacyBlocks::q4x1;
      case Q5_0 -> LegacyBlocks::q5x0;
      case Q5_1 -> LegacyBlocks::q5x1;
      case Q4_K -> KBlocks::q4k;
      case Q5_K -> KBlocks::q5k;
      case Q6_K -> KBlocks::q6k;
    };
  }

  /// The half float at byte `offset`.
  static float half(MemorySegment data, long offset) {
    return Float.float16ToFloat(data.get(SHORT, offset));
  }

  /// The byte at `offset`, unsigned.
  static int unsigned(MemorySegment data, long offset) {
    return data.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
  }
}
