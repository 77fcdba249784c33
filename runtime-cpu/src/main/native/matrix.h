// Packed weights. A matrix is a run of panels; a panel holds 16 outputs over all inputs, so that a
// lane of a vector is an output and a row's sum runs over the inputs in one order, whatever the
// number of rows, the thread or the instruction set.
#ifndef MATRIX_H
#define MATRIX_H

#include <stddef.h>
#include <stdint.h>

#define PANEL 16
#define GROUP 32        // inputs that share an activation's scale
#define SUPER_GROUPS 8  // groups in a super-block of the K types

// How weights lie in a panel, per group of 32 inputs. Bytes of input quad j (inputs 4j..4j+3) are
// [16 outputs][4]. Of nibbles the low ones are quads 0..3, the high ones quads 4..7. A fifth bit of
// quad j is bit j of bits[64], [16 outputs][4] too; a fifth and sixth of quad j are bits 2 (j % 4) and
// on of bits[j / 4][64]. Scales are f16 [16 outputs], w = d * (v - zero) + m.
enum kind {
  KIND_Q4_D,   // nibbles[256] d               zero 8    Q4_0
  KIND_Q4_DM,  // nibbles[256] d m             zero 0    Q4_1
  KIND_Q4_K,   // super: d dmin, then 8 of (nibbles[256] scale[16] min[16])  Q4_K
  KIND_Q5_D,   // nibbles[256] bits[64] d      zero 16   Q5_0
  KIND_Q5_DM,  // nibbles[256] bits[64] d m    zero 0    Q5_1
  KIND_Q5_K,   // as Q4_K with nibbles[256] bits[64]     Q5_K
  KIND_Q6_K,   // super: d, then 8 of (nibbles[256] bits[2][64] scale[2][16] signed)  zero 32; 16
               // inputs a scale
  KIND_Q8_D,   // bytes[512] d                 zero 128  Q8_0
  KIND_W8,     // bytes[512], an even number of groups; at the end scale f32[16]   zero 128
  KIND_W4,     // nibbles[256]; then a pair of groups s[16] a[16] bytes; at the end scale f32[16]:
               // LiquidQuant, v = q * s + a, zero 128
  KIND_F32,    // f32[16] an input
  KIND_F16,    // f16[16] an input
  KIND_BF16,   // bf16[16][2] a pair of inputs; whole groups
  KIND_COUNT
};

// The form of activations that a kind multiplies with.
enum form { FORM_GROUPS, FORM_FLOATS, FORM_PAIRS, FORM_HALVES, FORM_DIGITS, FORM_COUNT };

// The most inputs of KIND_W8 and KIND_W4: sums of the digits' products stay in 32 bits.
#define MOST_WIDE_INPUTS 65536

struct weft_matrix {
  enum kind kind;
  int64_t outputs, inputs;
  int64_t groups;       // of 32 inputs, the last one padded with zeros
  int64_t panels;       // of 16 outputs, the last one padded with zeros
  int64_t panel_bytes;  // a multiple of 64
  uint8_t* data;
  size_t mapped_bytes;  // 0: the data is borrowed
};

// Bytes ahead that weights are asked for: the hardware's own prefetch stops at every 4 KiB page.
// Measured for one row: 7.2 GB/s without, 10.5 with 2048, of 13.5 that plain reading gives.
#define AHEAD 2048

// Bits of a value beyond its nibble.
static inline int high_bits(enum kind kind) {
  switch (kind) {
    case KIND_Q5_D:
    case KIND_Q5_DM:
    case KIND_Q5_K: return 1;
    case KIND_Q6_K: return 2;
    default: return 0;
  }
}
// Bytes of a group's values, of kinds before KIND_F32.
static inline int value_bytes(enum kind kind) {
  return kind == KIND_Q8_D || kind == KIND_W8 ? 512 : 256 + 64 * high_bits(kind);
}
static inline int has_min(enum kind kind) {
  return kind == KIND_Q4_DM || kind == KIND_Q5_DM || kind == KIND_Q4_K || kind == KIND_Q5_K;
}
// Of a K type, whose eight groups share what their scales are multiplied by.
static inline int is_super(enum kind kind) {
  return kind == KIND_Q4_K || kind == KIND_Q5_K || kind == KIND_Q6_K;
}
// Weights with one scale an output.
static inline int is_wide(enum kind kind) { return kind == KIND_W8 || kind == KIND_W4; }

static inline int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

// Where a panel's output scales lie, of KIND_W8 and KIND_W4.
static inline int64_t output_scale_offset(enum kind kind, int64_t groups) {
  return kind == KIND_W8 ? divide_up(groups, 2) * 1024 : groups * 256 + divide_up(groups, 4) * 64;
}

#endif
