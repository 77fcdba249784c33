package dev.weft.runtime.tensor;

import static dev.weft.runtime.tensor.BlockDecoder.half;
import static dev.weft.runtime.tensor.BlockDecoder.unsigned;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Blocks of 32 with one scale, from ggml's `ggml-quants.c`:
///
/// | type | layout | value |
/// |---|---|---|
/// | Q8_0 | `f16 d; i8 q[32]` | `d * q` |
/// | Q4_0 | `f16 d; u4 q[32]` | `d * (q - 8)` |
/// | Q4_1 | `f16 d, m; u4 q[32]` | `d * q + m` |
/// | Q5_0 | `f16 d; u32 high; u4 q[32]` | `d * (q - 16)` |
/// | Q5_1 | `f16 d, m; u32 high; u4 q[32]` | `d * q + m` |
///
/// A byte of four-bit values holds element `i` below and element `i + 16` above; bit `i` of `high`
/// is the fifth bit of element `i`.
final class LegacyBlocks {
  private static final int HALF = 16;

  private LegacyBlocks() {}

  static void q8x0(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 34, outOffset += 32) {
      float scale = half(data, offset);
      for (int i = 0; i < 32; i++) {
        out[outOffset + i] = data.get(ValueLayout.JAVA_BYTE, offset + 2 + i) * scale;
      }
    }
  }

  static void q4x0(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 18, outOffset += 32) {
      float scale = half(data, offset);
      for (int i = 0; i < HALF; i++) {
        int pair = unsigned(data, offset + 2 + i);
        out[outOffset + i] = ((pair & 0xF) - 8) * scale;
        out[outOffset + i + HALF] = ((pair >> 4) - 8) * scale;
      }
    }
  }

  static void q4x1(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 20, outOffset += 32) {
      float scale = half(data, offset);
      float minimum = half(data, offset + 2);
      for (int i = 0; i < HALF; i++) {
        int pair = unsigned(data, offset + 4 + i);
        out[outOffset + i] = (pair & 0xF) * scale + minimum;
        out[outOffset + i + HALF] = (pair >> 4) * scale + minimum;
      }
    }
  }

  static void q5x0(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 22, outOffset += 32) {
      float scale = half(data, offset);
      int high = data.get(BlockDecoder.INT, offset + 2);
      for (int i = 0; i < HALF; i++) {
        int pair = unsigned(data, offset + 6 + i);
        out[outOffset + i] = (fifthBit(high, i) + (pair & 0xF) - 16) * scale;
        out[outOffset + i + HALF] = (fifthBit(high, i + HALF) + (pair >> 4) - 16) * scale;
      }
    }
  }

  static void q5x1(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 24, outOffset += 32) {
      float scale = half(data, offset);
      float minimum = half(data, offset + 2);
      int high = data.get(BlockDecoder.INT, offset + 4);
      for (int i = 0; i < HALF; i++) {
        int pair = unsigned(data, offset + 8 + i);
        out[outOffset + i] = (fifthBit(high, i) + (pair & 0xF)) * scale + minimum;
        out[outOffset + i + HALF] = (fifthBit(high, i + HALF) + (pair >> 4)) * scale + minimum;
      }
    }
  }

  private static int fifthBit(int high, int element) {
    return (high >>> element & 1) << 4;
  }
}
