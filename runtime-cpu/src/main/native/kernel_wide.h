// Products of weights that have one scale an output with activations that have one scale a row:
// sums of whole numbers, exact over all inputs and rounded once, so that every instruction set may
// add them in its own way. Included by kernel_matmul.h.
#ifndef KERNEL_WIDE_H
#define KERNEL_WIDE_H

#include "kernel_group.h"
#include "kernels.h"

// A row's scale, and the sum of its whole numbers, which weights with a zero of 128 add 128 times.
struct row_tails {
  const float* scale;
  const int32_t* sum;
};

INLINE struct row_tails row_tails(const uint8_t* x, int64_t groups, int64_t rows) {
  const float* scale = (const float*)(x + wide_values_bytes(groups) * rows);
  return (struct row_tails){scale, (const int32_t*)(scale + rows)};
}

#if defined(__AVX512VNNI__)

// Rows at once: two sums each, one a digit.
#define WIDE_ROWS(rows) ((rows) <= 8 ? (rows) : (rows) / 2)
// Sums of a digit side by side, so that few rows do not wait for each sum's last addition.
#define CHAINS(rows) ((rows) == 1 ? 4 : (rows) <= 4 ? 2 : 1)

INLINE void wide_part(
    enum kind kind, int rows, int first, int count, const uint8_t* panel, int64_t groups,
    const uint8_t* x, float* out) {
  i32x16 high[8], low[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) high[i] = low[i] = i_set(0);
  const int8_t* digits = (const int8_t*)x + 2 * GROUP * first;
  struct reader reader = read_panel(kind, panel, groups);
  for (int64_t g = 0; g < groups; g++) {
    struct group group = next_group(kind, &reader);
    const int8_t* values = digits + g / 2 * 4 * GROUP * rows + g % 2 * GROUP;
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
      int chain = j % CHAINS(count);
#pragma GCC unroll 8
      for (int r = 0; r < count; r++) {
        const int8_t* quad = values + 2 * GROUP * r + 4 * j;
        int i = r * CHAINS(count) + chain;
        high[i] = i_dot(high[i], group.quads[j], quad);
        low[i] = i_dot(low[i], group.quads[j], quad + 2 * GROUP * rows);
      }
    }
  }
  struct row_tails tails = row_tails(x, groups, rows);
  f32x16 weight_scale = output_scale(kind, panel, groups);
#pragma GCC unroll 8
  for (int r = 0; r < count; r++) {
    i32x16 h = high[r * CHAINS(count)], l = low[r * CHAINS(count)];
    for (int c = 1; c < CHAINS(count); c++) {
      h = i_add(h, high[r * CHAINS(count) + c]);
      l = i_add(l, low[r * CHAINS(count) + c]);
    }
    f32x16 total = f_from_digits(h, l, 128.0 * tails.sum[first + r]);
    f_store(out + PANEL * (first + r), f_mul(f_mul(total, f_set(tails.scale[first + r])), weight_scale));
  }
}

#else

#define WIDE_ROWS(rows) ((rows) <= 4 ? (rows) : (rows) % 4 == 0 ? 4 : 3)
// Groups whose sums stay in 32 bits: 16 * 32 products of up to 255 * 127 * 128.
#define WIDE_GROUPS 16

// Weights of two quads as unsigned 16-bit halves: first and third inputs, then second and fourth.
struct halves {
  i32x16 of[4];
};

// Quads `quad` and quad + 4 of a group.
INLINE struct halves load_halves(
    enum kind kind, const uint8_t* at, int quad, const struct levels* levels) {
  struct halves halves;
  if (kind == KIND_W8) {
    i32x16 first = i_load(at + 64 * quad), second = i_load(at + 64 * (quad + 4));
    halves.of[0] = i_low_bytes(first);
    halves.of[1] = i_high_bytes(first);
    halves.of[2] = i_low_bytes(second);
    halves.of[3] = i_high_bytes(second);
  } else {
    i32x16 both = i_load(at + 64 * quad);
    halves.of[0] = i_nibble(both, 0);
    halves.of[1] = i_nibble(both, 2);
    halves.of[2] = i_nibble(both, 1);
    halves.of[3] = i_nibble(both, 3);
    for (int i = 0; i < 4; i++) {
      halves.of[i] = i_add(i_multiply_16(halves.of[i], levels->s), levels->a);
    }
  }
  return halves;
}

// s and a of a group of KIND_W4 in both 16-bit halves of their output's lane.
INLINE struct levels load_wide_levels(const uint8_t* at) {
  i32x16 s = i_load_u8(at), a = i_load_u8(at + PANEL);
  return (struct levels){i_add(s, i_shift_left(s, 16)), i_add(a, i_shift_left(a, 16))};
}

// Adds a group's part to `count` rows.
INLINE void add_wide_group(
    enum kind kind, const uint8_t* at, const struct levels* levels, const int16_t* values,
    int count, i32x16* acc) {
  prefetch(at, group_bytes(kind));
#pragma GCC unroll 4
  for (int quad = 0; quad < 4; quad++) {
    struct halves halves = load_halves(kind, at, quad, levels);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      const int16_t* pair = values + 4 * quad + 16 * (i / 2) + 2 * (i % 2);
#pragma GCC unroll 4
      for (int r = 0; r < count; r++) acc[r] = i_dot_pair(acc[r], halves.of[i], pair + GROUP * r);
    }
  }
}

INLINE void wide_part(
    enum kind kind, int rows, int first, int count, const uint8_t* panel, int64_t groups,
    const uint8_t* x, float* out) {
  double totals[4][PANEL] __attribute__((aligned(64))) = {0};
  const uint8_t *at = panel, *levels_at = panel + groups * value_bytes(kind);
  const int16_t* values = (const int16_t*)x + GROUP * first;
  struct levels levels = {i_set(0), i_set(0)};
  for (int64_t start = 0; start < groups; start += WIDE_GROUPS) {
    int64_t end = start + WIDE_GROUPS < groups ? start + WIDE_GROUPS : groups;
    i32x16 acc[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) acc[i] = i_set(0);
    for (int64_t g = start; g < end; g++, at += value_bytes(kind), values += GROUP * rows) {
      if (kind == KIND_W4 && g % 2 == 0) levels = load_wide_levels(levels_at + g / 2 * 2 * PANEL);
      add_wide_group(kind, at, &levels, values, count, acc);
    }
    for (int r = 0; r < count; r++) i_add_to_doubles(totals[r], acc[r]);
  }
  struct row_tails tails = row_tails(x, groups, rows);
  f32x16 weight_scale = output_scale(kind, panel, groups);
  for (int r = 0; r < count; r++) {
    f32x16 total = f_from_doubles(totals[r], 128.0 * tails.sum[first + r]);
    f_store(out + PANEL * (first + r), f_mul(f_mul(total, f_set(tails.scale[first + r])), weight_scale));
  }
}

#endif

// A tile of `rows` rows.
INLINE void wide_parts(
    enum kind kind, int rows, const uint8_t* panel, int64_t groups, const uint8_t* x, float* out) {
  for (int first = 0; first < rows; first += WIDE_ROWS(rows)) {
    wide_part(kind, rows, first, WIDE_ROWS(rows), panel, groups, x, out);
  }
}

#endif
