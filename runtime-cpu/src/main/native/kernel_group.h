// Reads a panel group by group. Included by the files that multiply.
#ifndef KERNEL_GROUP_H
#define KERNEL_GROUP_H

#include "matrix.h"
#include "simd.h"

// One group's weights as vectors of input quads, with their scales.
struct group {
  const uint8_t* at;
  i32x16 quads[8];
  f32x16 scale[2];  // of inputs 0..15 and 16..31; both the same but in Q6_K
  f32x16 min;
};

// Four bits and no more.
INLINE int has_nibbles(enum kind kind) { return value_bytes(kind) == 256; }
// log2 of the zero point; 0 stands for none.
INLINE int zero_bits(enum kind kind) {
  switch (kind) {
    case KIND_Q4_D: return 3;
    case KIND_Q5_D: return 4;
    case KIND_Q6_K: return 5;
    case KIND_Q8_D: return 7;
    default: return 0;
  }
}

// Bytes of a group in a panel, without the super-block's head.
INLINE int group_bytes(enum kind kind) {
  if (is_wide(kind)) return value_bytes(kind);
  if (is_super(kind)) return value_bytes(kind) + 32;
  return value_bytes(kind) + (has_min(kind) ? 64 : 32);
}
INLINE int super_head_bytes(enum kind kind) { return kind == KIND_Q6_K ? 32 : 64; }

// How far ahead weights are asked for: a stream near its panel's end, one of `panels` that are read
// at once, goes on where the panels after them begin.
INLINE int64_t ahead(int64_t left, int panels, int64_t panel_bytes) {
  return left <= AHEAD ? AHEAD + (panels - 1) * panel_bytes : AHEAD;
}

// Whether weights are asked for before they are read, and into which level.
enum asking { ASK_NOT, ASK_NEAR, ASK_FAR };

INLINE void prefetch(enum asking asking, const uint8_t* at, int bytes) {
#pragma GCC unroll 16
  for (int i = 0; i < bytes; i += 64) {
    if (asking == ASK_NEAR) _mm_prefetch((const char*)at + i, _MM_HINT_T0);
    if (asking == ASK_FAR) _mm_prefetch((const char*)at + i, _MM_HINT_T1);
  }
}

// The second level of LiquidQuant: 16 outputs' nibbles q to unsigned bytes q * s + a, four a lane.
// q * s <= 240 and q * s + a <= 255, so that no byte carries into the next.
struct levels {
  i32x16 s;  // in both halves of a lane
  i32x16 a;  // in all four bytes
};

INLINE struct levels load_levels(const uint8_t* at) {
  i32x16 s = i_load_u8(at), a = i_load_u8(at + PANEL);
  a = i_add(a, i_shift_left(a, 8));
  return (struct levels){i_add(s, i_shift_left(s, 16)), i_add(a, i_shift_left(a, 16))};
}

// `levels` is where s and a lie, of KIND_W4 only.
INLINE struct group load_group(
    enum kind kind, const uint8_t* at, f32x16 d, f32x16 dmin, const uint8_t* levels) {
  struct group group = {.at = at};
  if (value_bytes(kind) == 512) {
    for (int j = 0; j < 8; j++) group.quads[j] = i_load(at + 64 * j);
  } else {
    for (int j = 0; j < 4; j++) {
      i32x16 both = i_load(at + 64 * j);
      group.quads[j] = i_low_nibbles(both);
      group.quads[j + 4] = i_high_nibbles(both);
    }
  }
  const int bits = high_bits(kind);
#pragma GCC unroll 8
  for (int j = 0; bits && j < 8; j++) {
    i32x16 high = i_load(at + 256 + (bits == 2 ? j / 4 * 64 : 0));
    group.quads[j] = i_or(group.quads[j], i_high_bits(high, bits, bits == 2 ? j % 4 * 2 : j));
  }
  if (kind == KIND_W4) {
    struct levels level = load_levels(levels);
    for (int j = 0; j < 8; j++) {
      group.quads[j] = i_add(i_multiply_16(group.quads[j], level.s), level.a);
    }
  }
  const uint8_t* scales = at + value_bytes(kind);
  group.min = f_zero();
  if (kind == KIND_Q6_K) {
    group.scale[0] = f_mul(d, f_load_i8(scales));
    group.scale[1] = f_mul(d, f_load_i8(scales + 16));
  } else if (is_super(kind)) {
    group.scale[0] = group.scale[1] = f_mul(d, f_load_u8(scales));
    group.min = f_mul(dmin, f_load_u8(scales + 16));
  } else if (!is_wide(kind)) {
    group.scale[0] = group.scale[1] = f_load_f16((const uint16_t*)scales);
    if (has_min(kind)) group.min = f_load_f16((const uint16_t*)(scales + 32));
  }
  return group;
}

// A panel that is being read.
struct reader {
  const uint8_t* at;
  const uint8_t* levels;  // of KIND_W4
  f32x16 d, dmin;         // of the super-block
  int64_t next;           // group
};

INLINE struct reader read_panel(enum kind kind, const uint8_t* panel, int64_t groups) {
  return (struct reader){.at = panel, .levels = panel + groups * value_bytes(kind),
      .d = f_zero(), .dmin = f_zero()};
}

// Asks for the weights `ahead` of the group's.
INLINE struct group next_group(
    enum kind kind, struct reader* reader, enum asking asking, int64_t ahead) {
  if (is_super(kind) && reader->next % SUPER_GROUPS == 0) {
    reader->d = f_load_f16((const uint16_t*)reader->at);
    if (kind != KIND_Q6_K) {
      reader->dmin = f_sub(f_zero(), f_load_f16((const uint16_t*)(reader->at + 32)));
    }
    reader->at += super_head_bytes(kind);
  }
  prefetch(asking, reader->at + ahead, group_bytes(kind));
  struct group group =
      load_group(kind, reader->at, reader->d, reader->dmin, reader->levels + reader->next / 2 * 32);
  reader->at += group_bytes(kind);
  reader->next++;
  return group;
}

// Scales of the 16 outputs, of kinds that have one an output.
INLINE f32x16 output_scale(enum kind kind, const uint8_t* panel, int64_t groups) {
  return f_load((const float*)(panel + output_scale_offset(kind, groups)));
}

#endif
