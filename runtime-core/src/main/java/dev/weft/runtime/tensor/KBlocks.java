package dev.weft.runtime.tensor;

import static dev.weft.runtime.tensor.BlockDecoder.half;
import static dev.weft.runtime.tensor.BlockDecoder.unsigned;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// K-quants: blocks of 256 whose groups have scales of their own, from ggml's `ggml-quants.c`:
///
/// | type | layout | value |
/// |---|---|---|
/// | Q4_K | `f16 d, dmin; u8 scales[12]; u4 q[256]` | `d * scale * q - dmin * minimum` |
/// | Q5_K | `f16 d, dmin; u8 scales[12]; u8 high[32]; u4 q[256]` | as Q4_K |
/// | Q6_K | `u4 q[256]; u2 high[256]; i8 scale[16]; f16 d` | `d * scale * (q - 32)` |
///
/// `scales` packs eight pairs of six-bit (scale, minimum), one pair a group of 32; Q6_K's groups
/// have 16 elements.
final class KBlocks {
  private static final int BLOCK = 256;
  private static final int GROUP = 32;

  private KBlocks() {}

  static void q4k(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 144, outOffset += BLOCK) {
      float d = half(data, offset);
      float dmin = half(data, offset + 2);
      // 32 bytes hold two groups: the first in the low halves, the second in the high halves.
      for (int group = 0; group < 8; group++) {
        float scale = d * scale(data, offset + 4, group);
        float minimum = dmin * minimum(data, offset + 4, group);
        long quants = offset + 16 + (group >> 1) * (long) GROUP;
        int shift = (group & 1) * 4;
        int target = outOffset + group * GROUP;
        for (int i = 0; i < GROUP; i++) {
          out[target + i] = scale * (unsigned(data, quants + i) >> shift & 0xF) - minimum;
        }
      }
    }
  }

  static void q5k(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 176, outOffset += BLOCK) {
      float d = half(data, offset);
      float dmin = half(data, offset + 2);
      // As Q4_K; bit `group` of high[i] is the fifth bit of element i of the group.
      for (int group = 0; group < 8; group++) {
        float scale = d * scale(data, offset + 4, group);
        float minimum = dmin * minimum(data, offset + 4, group);
        long quants = offset + 48 + (group >> 1) * (long) GROUP;
        int shift = (group & 1) * 4;
        int target = outOffset + group * GROUP;
        for (int i = 0; i < GROUP; i++) {
          int low = unsigned(data, quants + i) >> shift & 0xF;
          int high = unsigned(data, offset + 16 + i) >> group & 1;
          out[target + i] = scale * (high << 4 | low) - minimum;
        }
      }
    }
  }

  static void q6k(MemorySegment data, long offset, int count, float[] out, int outOffset) {
    for (int block = 0; block < count; block++, offset += 210, outOffset += BLOCK) {
      float d = half(data, offset + 208);
      // Each half block of 128 is four runs of 32: runs 0 and 1 in the low halves of 64 bytes, 2
      // and 3 in their high halves; a byte of `high` holds two bits for each of the four runs.
      for (int run = 0; run < 8; run++) {
        long low = offset + (run >> 2) * 64L + (run & 1) * (long) GROUP;
        long high = offset + 128 + (run >> 2) * (long) GROUP;
        int lowShift = (run >> 1 & 1) * 4;
        int highShift = (run & 3) * 2;
        int target = outOffset + run * GROUP;
        for (int i = 0; i < GROUP; i++) {
          float scale = d * data.get(ValueLayout.JAVA_BYTE, offset + 192 + run * 2L + (i >> 4));
          int quant =
              (unsigned(data, low + i) >> lowShift & 0xF)
                  | (unsigned(data, high + i) >> highShift & 3) << 4;
          out[target + i] = scale * (quant - 32);
        }
      }
    }
  }

  /// Groups 0 to 3 have their six bits in bytes 0 to 3; groups 4 to 7 have four low bits in bytes 8
  /// to 11 and two high bits at the top of bytes 0 to 3.
  private static int scale(MemorySegment data, long scales, int group) {
    if (group < 4) {
      return unsigned(data, scales + group) & 0x3F;
    }
    int low = unsigned(data, scales + group + 4) & 0xF;
    int high = unsigned(data, scales + group - 4) >> 6;
    return high << 4 | low;
  }

  /// As [#scale], with bytes 4 to 7 and the high halves of bytes 8 to 11.
  private static int minimum(MemorySegment data, long scales, int group) {
    if (group < 4) {
      return unsigned(data, scales + group + 4) & 0x3F;
    }
    int low = unsigned(data, scales + group + 4) >> 4;
    int high = unsigned(data, scales + group) >> 6;
    return high << 4 | low;
  }
}
