// Element formats of weights, as GGUF lays them out. A row is read in units of eight elements, four
// from `left(unit)` on and four from `right(unit)` on, which is how nibbles lie in the quantised
// formats. `load` fetches a unit's bytes, `decode` makes float32 of them by the operations that
// ggml defines, each rounded on its own: the compiler is told not to fuse any.

WEFT_DEVICE unsigned pair(const unsigned char* from) {
  return *(const unsigned short*)from;
}

// Four bytes at an even address.
WEFT_DEVICE unsigned quad(const unsigned char* from) {
  return pair(from) | pair(from + 2) << 16;
}

WEFT_DEVICE unsigned word(const unsigned char* from) {
  return *(const unsigned*)from;
}

WEFT_DEVICE int byteOf(unsigned word, int index) {
  return word >> 8 * index & 0xff;
}

WEFT_DEVICE int signedByteOf(unsigned word, int index) {
  return (int)(word << (24 - 8 * index)) >> 24;
}

struct F32 {
  struct Raw {
    uint4 low, high;
  };
  static WEFT_DEVICE int left(int unit) { return unit * 8; }
  static WEFT_DEVICE int right(int unit) { return unit * 8 + 4; }
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const uint4* from = (const uint4*)row + 2 * unit;
    return {streamed(from), streamed(from + 1)};
  }
  static WEFT_DEVICE void decode(Raw raw, int, float* to) {
    to[0] = bitsToFloat(raw.low.x);
    to[1] = bitsToFloat(raw.low.y);
    to[2] = bitsToFloat(raw.low.z);
    to[3] = bitsToFloat(raw.low.w);
    to[4] = bitsToFloat(raw.high.x);
    to[5] = bitsToFloat(raw.high.y);
    to[6] = bitsToFloat(raw.high.z);
    to[7] = bitsToFloat(raw.high.w);
  }
};

WEFT_DEVICE float lowHalf(unsigned pair) {
  return halfToFloat((unsigned short)(pair & 0xffff));
}

WEFT_DEVICE float highHalf(unsigned pair) {
  return halfToFloat((unsigned short)(pair >> 16));
}

struct F16 {
  struct Raw {
    uint4 all;
  };
  static WEFT_DEVICE int left(int unit) { return unit * 8; }
  static WEFT_DEVICE int right(int unit) { return unit * 8 + 4; }
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    return {streamed((const uint4*)row + unit)};
  }
  static WEFT_DEVICE void decode(Raw raw, int, float* to) {
    to[0] = lowHalf(raw.all.x);
    to[1] = highHalf(raw.all.x);
    to[2] = lowHalf(raw.all.y);
    to[3] = highHalf(raw.all.y);
    to[4] = lowHalf(raw.all.z);
    to[5] = highHalf(raw.all.z);
    to[6] = lowHalf(raw.all.w);
    to[7] = highHalf(raw.all.w);
  }
};

// The upper half of a float32.
struct BF16 {
  struct Raw {
    uint4 all;
  };
  static WEFT_DEVICE int left(int unit) { return unit * 8; }
  static WEFT_DEVICE int right(int unit) { return unit * 8 + 4; }
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    return {streamed((const uint4*)row + unit)};
  }
  static WEFT_DEVICE void decode(Raw raw, int, float* to) {
    to[0] = bitsToFloat(raw.all.x << 16);
    to[1] = bitsToFloat(raw.all.x & 0xffff0000u);
    to[2] = bitsToFloat(raw.all.y << 16);
    to[3] = bitsToFloat(raw.all.y & 0xffff0000u);
    to[4] = bitsToFloat(raw.all.z << 16);
    to[5] = bitsToFloat(raw.all.z & 0xffff0000u);
    to[6] = bitsToFloat(raw.all.w << 16);
    to[7] = bitsToFloat(raw.all.w & 0xffff0000u);
  }
};

// f16 d; i8 q[32]: d * q
struct Q8_0 {
  struct Raw {
    unsigned low, high, scale;
  };
  static WEFT_DEVICE int left(int unit) { return unit * 8; }
  static WEFT_DEVICE int right(int unit) { return unit * 8 + 4; }
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 2) * 34ll;
    const unsigned char* quants = block + 2 + (unit & 3) * 8;
    return {quad(quants), quad(quants + 4), pair(block)};
  }
  static WEFT_DEVICE void decode(Raw raw, int, float* to) {
    float scale = lowHalf(raw.scale);
    for (int i = 0; i < 4; i++) {
      to[i] = signedByteOf(raw.low, i) * scale;
      to[i + 4] = signedByteOf(raw.high, i) * scale;
    }
  }
};

// The formats of 32 whose bytes hold elements i and i + 16.
struct Halves {
  static WEFT_DEVICE int left(int unit) { return (unit >> 2) * 32 + (unit & 3) * 4; }
  static WEFT_DEVICE int right(int unit) { return left(unit) + 16; }
};

// f16 d; u4 q[32]: d * (q - 8)
struct Q4_0 : Halves {
  struct Raw {
    unsigned quants, scale;
  };
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 2) * 18ll;
    return {quad(block + 2 + (unit & 3) * 4), pair(block)};
  }
  static WEFT_DEVICE void decode(Raw raw, int, float* to) {
    float scale = lowHalf(raw.scale);
    for (int i = 0; i < 4; i++) {
      int both = byteOf(raw.quants, i);
      to[i] = ((both & 0xf) - 8) * scale;
      to[i + 4] = ((both >> 4) - 8) * scale;
    }
  }
};

// f16 d, m; u4 q[32]: d * q + m
struct Q4_1 : Halves {
  struct Raw {
    unsigned quants, scales;
  };
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 2) * 20ll;
    return {word(block + 4 + (unit & 3) * 4), word(block)};
  }
  static WEFT_DEVICE void decode(Raw raw, int, float* to) {
    float scale = lowHalf(raw.scales);
    float minimum = highHalf(raw.scales);
    for (int i = 0; i < 4; i++) {
      int both = byteOf(raw.quants, i);
      to[i] = (both & 0xf) * scale + minimum;
      to[i + 4] = (both >> 4) * scale + minimum;
    }
  }
};

// f16 d; u32 high; u4 q[32]: d * (q - 16)
struct Q5_0 : Halves {
  struct Raw {
    unsigned quants, high, scale;
  };
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 2) * 22ll;
    return {quad(block + 6 + (unit & 3) * 4), quad(block + 2), pair(block)};
  }
  static WEFT_DEVICE void decode(Raw raw, int unit, float* to) {
    float scale = lowHalf(raw.scale);
    unsigned high = raw.high >> (unit & 3) * 4;
    for (int i = 0; i < 4; i++) {
      int both = byteOf(raw.quants, i);
      to[i] = (int)((both & 0xf) + ((high >> i & 1) << 4) - 16) * scale;
      to[i + 4] = (int)((both >> 4) + ((high >> (i + 16) & 1) << 4) - 16) * scale;
    }
  }
};

// f16 d, m; u32 high; u4 q[32]: d * q + m
struct Q5_1 : Halves {
  struct Raw {
    unsigned quants, high, scales;
  };
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 2) * 24ll;
    return {word(block + 8 + (unit & 3) * 4), word(block + 4), word(block)};
  }
  static WEFT_DEVICE void decode(Raw raw, int unit, float* to) {
    float scale = lowHalf(raw.scales);
    float minimum = highHalf(raw.scales);
    unsigned high = raw.high >> (unit & 3) * 4;
    for (int i = 0; i < 4; i++) {
      int both = byteOf(raw.quants, i);
      to[i] = (int)((both & 0xf) + ((high >> i & 1) << 4)) * scale + minimum;
      to[i + 4] = (int)((both >> 4) + ((high >> (i + 16) & 1) << 4)) * scale + minimum;
    }
  }
};

// The 12 bytes after d and dmin hold eight pairs of a scale and a minimum, six bits each: of groups
// 0 to 3 in the low bits of bytes 0 to 3 and 4 to 7; of groups 4 to 7 in the nibbles of bytes 8 to
// 11, with the two upper bits at the top of bytes 0 to 3 and 4 to 7.
struct GroupScales {
  unsigned d, first, second, third;

  WEFT_DEVICE float scale(int group) const {
    int bits = group < 4 ? byteOf(first, group) & 0x3f
                         : (byteOf(third, group - 4) & 0xf) | byteOf(first, group - 4) >> 6 << 4;
    return lowHalf(d) * bits;
  }
  WEFT_DEVICE float minimum(int group) const {
    int bits = group < 4 ? byteOf(second, group) & 0x3f
                         : byteOf(third, group - 4) >> 4 | byteOf(second, group - 4) >> 6 << 4;
    return highHalf(d) * bits;
  }
};

// 32 bytes hold two groups of 32, in the low and in the high nibbles.
struct GroupPairs {
  static WEFT_DEVICE int left(int unit) {
    return (unit >> 5) * 256 + (unit >> 3 & 3) * 64 + (unit & 7) * 4;
  }
  static WEFT_DEVICE int right(int unit) { return left(unit) + 32; }
};

// f16 d, dmin; u8 scales[12]; u4 q[256]: d * scale * q - dmin * minimum
struct Q4_K : GroupPairs {
  struct Raw {
    uint4 scales;
    unsigned quants;
  };
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 5) * 144ll;
    return {*(const uint4*)block, word(block + 16 + (unit & 31) * 4)};
  }
  static WEFT_DEVICE void decode(Raw raw, int unit, float* to) {
    GroupScales scales = {raw.scales.x, raw.scales.y, raw.scales.z, raw.scales.w};
    int group = (unit >> 3 & 3) * 2;
    float scale = scales.scale(group);
    float minimum = scales.minimum(group);
    float nextScale = scales.scale(group + 1);
    float nextMinimum = scales.minimum(group + 1);
    for (int i = 0; i < 4; i++) {
      int both = byteOf(raw.quants, i);
      to[i] = scale * (both & 0xf) - minimum;
      to[i + 4] = nextScale * (both >> 4) - nextMinimum;
    }
  }
};

// f16 d, dmin; u8 scales[12]; u8 high[32]; u4 q[256]: bit `group` of high[i] is the fifth bit
struct Q5_K : GroupPairs {
  struct Raw {
    uint4 scales;
    unsigned quants, high;
  };
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 5) * 176ll;
    return {*(const uint4*)block, word(block + 48 + (unit & 31) * 4), word(block + 16 + (unit & 7) * 4)};
  }
  static WEFT_DEVICE void decode(Raw raw, int unit, float* to) {
    GroupScales scales = {raw.scales.x, raw.scales.y, raw.scales.z, raw.scales.w};
    int group = (unit >> 3 & 3) * 2;
    float scale = scales.scale(group);
    float minimum = scales.minimum(group);
    float nextScale = scales.scale(group + 1);
    float nextMinimum = scales.minimum(group + 1);
    for (int i = 0; i < 4; i++) {
      int both = byteOf(raw.quants, i);
      int high = byteOf(raw.high, i) >> group;
      to[i] = scale * ((high & 1) << 4 | (both & 0xf)) - minimum;
      to[i + 4] = nextScale * ((high >> 1 & 1) << 4 | both >> 4) - nextMinimum;
    }
  }
};

// u4 q[256]; u2 high[256]; i8 scale[16]; f16 d: d * scale * (q - 32). Of each half block of 128, 64
// bytes hold runs 0 and 1 of 32 in their low nibbles and runs 2 and 3 in their high ones; a byte of
// `high` holds two bits for each of the four runs. Groups with a scale have 16 elements.
struct Q6_K {
  struct Raw {
    unsigned quants, high, scale, leftScale, rightScale;
  };
  static WEFT_DEVICE int left(int unit) {
    return (unit >> 5) * 256 + (unit >> 4 & 1) * 128 + (unit & 15) * 4;
  }
  static WEFT_DEVICE int right(int unit) { return left(unit) + 64; }
  static WEFT_DEVICE Raw load(const unsigned char* row, int unit) {
    const unsigned char* block = row + (unit >> 5) * 210ll;
    int half = unit >> 4 & 1;
    int group = half * 8 + (unit & 15) / 4;
    return {quad(block + half * 64 + (unit & 15) * 4),
            quad(block + 128 + half * 32 + (unit & 7) * 4), pair(block + 208), block[192 + group],
            block[192 + group + 4]};
  }
  static WEFT_DEVICE void decode(Raw raw, int unit, float* to) {
    float d = lowHalf(raw.scale);
    float leftScale = d * signedByteOf(raw.leftScale, 0);
    float rightScale = d * signedByteOf(raw.rightScale, 0);
    int shift = (unit >> 3 & 1) * 2;
    for (int i = 0; i < 4; i++) {
      int both = byteOf(raw.quants, i);
      int high = byteOf(raw.high, i) >> shift;
      to[i] = leftScale * (((both & 0xf) | (high & 3) << 4) - 32);
      to[i + 4] = rightScale * ((both >> 4 | (high >> 4 & 3) << 4) - 32);
    }
  }
};
