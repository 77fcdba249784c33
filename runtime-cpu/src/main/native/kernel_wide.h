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

// Nibbles to the bytes that KIND_W8 has.
INLINE void unpack_levels(const uint8_t* at, const uint8_t* levels, uint8_t* bytes) {
  struct levels level = load_levels(levels);
#pragma GCC unroll 1
  for (int j = 0; j < 4; j++) {
    i32x16 both = i_load(at + 64 * j);
    i32x16 low = i_multiply_16(i_low_nibbles(both), level.s);
    i32x16 high = i_multiply_16(i_high_nibbles(both), level.s);
    i_store(bytes + 64 * j, i_add(low, level.a));
    i_store(bytes + 64 * (j + 4), i_add(high, level.a));
  }
}

// Adds to each row's sum the products with a group's bytes: first and third of a quad, then the
// others. A loop, for the same reason as in add_quads.
INLINE void add_bytes(const uint8_t* at, const int16_t* values, int count, i32x16* acc) {
#pragma GCC unroll 1
  for (int j = 0; j < 8; j++) {
    i32x16 bytes = i_load(at + 64 * j);
    i32x16 halves[2] = {i_low_bytes(bytes), i_high_bytes(bytes)};
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
#pragma GCC unroll 4
      for (int r = 0; r < count; r++) {
        acc[r] = i_dot_pair(acc[r], halves[i], values + GROUP * r + 4 * j + 2 * i);
      }
    }
  }
}

INLINE void wide_part(
    enum kind kind, int rows, int first, int count, const uint8_t* panel, int64_t groups,
    const uint8_t* x, float* out) {
  double totals[4][PANEL] __attribute__((aligned(64))) = {0};
  const uint8_t *at = panel, *levels_at = panel + groups * value_bytes(kind);
  const int16_t* values = (const int16_t*)x + GROUP * first;
  uint8_t unpacked[512] __attribute__((aligned(64)));
  for (int64_t start = 0; start < groups; start += WIDE_GROUPS) {
    int64_t end = start + WIDE_GROUPS < groups ? start + WIDE_GROUPS : groups;
    i32x16 acc[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) acc[i] = i_set(0);
    for (int64_t g = start; g < end; g++, at += value_bytes(kind), values += GROUP * rows) {
      prefetch(at, value_bytes(kind));
      if (kind == KIND_W4) unpack_levels(at, levels_at + g / 2 * 2 * PANEL, unpacked);
      add_bytes(kind == KIND_W4 ? unpacked : at, values, count, acc);
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
