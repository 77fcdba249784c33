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
#define CHAINS(sums) ((sums) == 1 ? 4 : (sums) <= 4 ? 2 : 1)

// Sums of 16 outputs of some rows, by digits: CHAINS of row r from r * CHAINS on.
struct wide_sums {
  i32x16 high[8], low[8];
};

INLINE void add_digits(
    const struct group* group, const int8_t* values, int rows, int count, int chains, int first,
    struct wide_sums* sums) {
#pragma GCC unroll 8
  for (int j = 0; j < 8; j++) {
#pragma GCC unroll 8
    for (int r = 0; r < count; r++) {
      const int8_t* quad = values + 2 * GROUP * r + 4 * j;
      int i = first + r * chains + j % chains;
      sums->high[i] = i_dot(sums->high[i], group->quads[j], quad);
      sums->low[i] = i_dot(sums->low[i], group->quads[j], quad + 2 * GROUP * rows);
    }
  }
}

// As group_part: rows first..first+count-1, up to 8 sums of all panels.
INLINE void wide_part(
    enum kind kind, int rows, int first, int count, int panels, enum asking asking,
    const uint8_t* panel, int64_t panel_bytes, int64_t groups, const uint8_t* x, float* out) {
  const int chains = CHAINS(count * panels);
  struct wide_sums sums;
  struct reader readers[4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) sums.high[i] = sums.low[i] = i_set(0);
#pragma GCC unroll 4
  for (int p = 0; p < panels; p++) readers[p] = read_panel(kind, panel + p * panel_bytes, groups);
  const int8_t* digits = (const int8_t*)x + 2 * GROUP * first;
  for (int64_t g = 0; g < groups; g++) {
    const int8_t* values = digits + g / 2 * 4 * GROUP * rows + g % 2 * GROUP;
    int64_t further = ahead(panel + panel_bytes - readers[0].at, panels, panel_bytes);
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) {
      struct group group = next_group(kind, &readers[p], asking, further);
      add_digits(&group, values, rows, count, chains, p * count * chains, &sums);
    }
  }
  struct row_tails tails = row_tails(x, groups, rows);
#pragma GCC unroll 8
  for (int i = 0; i < count * panels; i++) {
    int p = i / count, row = first + i % count;
    i32x16 high = sums.high[i * chains], low = sums.low[i * chains];
    for (int c = 1; c < chains; c++) {
      high = i_add(high, sums.high[i * chains + c]);
      low = i_add(low, sums.low[i * chains + c]);
    }
    f32x16 total = f_mul(f_from_digits(high, low, 128.0 * tails.sum[row]), f_set(tails.scale[row]));
    f_store(out + PANEL * (p * TILE_ROWS + row),
        f_mul(total, output_scale(kind, panel + p * panel_bytes, groups)));
  }
}

#else

#define WIDE_ROWS(rows) ((rows) <= 4 ? (rows) : (rows) % 4 == 0 ? 4 : 3)
// Groups whose sums stay in 32 bits: 16 * 32 products of up to 255 * 127 * 128.
#define WIDE_GROUPS 16

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

// The same with a group's nibbles.
INLINE void add_nibbles(const uint8_t* at, const int16_t* values, int count, i32x16* acc) {
#pragma GCC unroll 1
  for (int j = 0; j < 4; j++) {
    i32x16 both = i_load(at + 64 * j);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      i32x16 nibbles = i_nibble(both, i);
      const int16_t* pair = values + 4 * j + i % 2 * 16 + i / 2 * 2;
#pragma GCC unroll 4
      for (int r = 0; r < count; r++) acc[r] = i_dot_pair(acc[r], nibbles, pair + GROUP * r);
    }
  }
}

// The same with weights q * s + a of one or two groups, which have one s and one a an output: s
// times the sum of products with q, and a times the values' sum.
INLINE void add_levels(
    const uint8_t* at, const uint8_t* levels, const int16_t* values, int64_t stride, int count,
    int groups, const int32_t* values_sums, i32x16* acc) {
  i32x16 s = i_load_u8(levels), a = i_load_u8(levels + PANEL), sums[2];
#pragma GCC unroll 2
  for (int r = 0; r < count; r++) sums[r] = i_set(0);
#pragma GCC unroll 1
  for (int g = 0; g < groups; g++) add_nibbles(at + 256 * g, values + stride * g, count, sums);
#pragma GCC unroll 2
  for (int r = 0; r < count; r++) {
    i32x16 products = i_add(i_multiply(s, sums[r]), i_multiply(a, i_set(values_sums[r])));
    acc[r] = i_add(acc[r], products);
  }
}

// Writes rows first..first+count-1 of a panel, whose whole sums are totals[count].
INLINE void store_rows(
    enum kind kind, int rows, int first, int count, const uint8_t* panel, int64_t groups,
    const uint8_t* x, const double (*totals)[PANEL], float* out) {
  struct row_tails tails = row_tails(x, groups, rows);
  f32x16 scale = output_scale(kind, panel, groups);
  for (int i = 0; i < count; i++) {
    int row = first + i;
    f32x16 total = f_from_doubles(totals[i], 128.0 * tails.sum[row]);
    f_store(out + PANEL * row, f_mul(f_mul(total, f_set(tails.scale[row])), scale));
  }
}

// As group_part: rows first..first+count-1, up to 8 sums of all panels; of KIND_W4 up to two rows.
INLINE void wide_part(
    enum kind kind, int rows, int first, int count, int panels, enum asking asking,
    const uint8_t* panel, int64_t panel_bytes, int64_t groups, const uint8_t* x, float* out) {
  double totals[8][PANEL] __attribute__((aligned(64)));
  const int bytes = value_bytes(kind), step = kind == KIND_W4 ? 2 : 1;
  const int64_t stride = GROUP * rows;
  memset(totals, 0, sizeof(totals[0]) * (size_t)(count * panels));
  for (int64_t start = 0; start < groups; start += WIDE_GROUPS) {
    int64_t end = start + WIDE_GROUPS < groups ? start + WIDE_GROUPS : groups;
    i32x16 acc[8];
#pragma GCC unroll 8
    for (int i = 0; i < count * panels; i++) acc[i] = i_set(0);
    for (int64_t g = start; g < end; g += step) {
      const int16_t* values = (const int16_t*)x + stride * g + GROUP * first;
      const int together = end - g < step ? (int)(end - g) : step;
      int64_t further = ahead(panel_bytes - g * bytes, panels, panel_bytes);
      int32_t sums[2] = {0};
      if (kind == KIND_W4) {
#pragma GCC unroll 2
        for (int r = 0; r < count; r++) {
          sums[r] = sum_of_32(values + GROUP * r);
          if (together == 2) sums[r] += sum_of_32(values + stride + GROUP * r);
        }
      }
#pragma GCC unroll 4
      for (int p = 0; p < panels; p++) {
        const uint8_t* at = panel + p * panel_bytes + g * bytes;
        prefetch(asking, at + further, step * bytes);
        if (kind == KIND_W4) {
          const uint8_t* levels = panel + p * panel_bytes + groups * bytes + g * PANEL;
          add_levels(at, levels, values, stride, count, together, sums, acc + p * count);
        } else {
          add_bytes(at, values, count, acc + p * count);
        }
      }
    }
    for (int i = 0; i < count * panels; i++) i_add_to_doubles(totals[i], acc[i]);
  }
  for (int p = 0; p < panels; p++) {
    store_rows(kind, rows, first, count, panel + p * panel_bytes, groups, x, totals + p * count,
        out + PANEL * TILE_ROWS * p);
  }
}

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

// A tile of more than two rows of KIND_W4, whose weights are unpacked once for all of them.
INLINE void unpacked_parts(
    int rows, const uint8_t* panel, int64_t groups, const uint8_t* x, float* out) {
  double totals[TILE_ROWS][PANEL] __attribute__((aligned(64)));
  uint8_t bytes[WIDE_GROUPS * 512] __attribute__((aligned(64)));
  const int part = WIDE_ROWS(rows);
  memset(totals, 0, sizeof(totals[0]) * (size_t)rows);
  for (int64_t start = 0; start < groups; start += WIDE_GROUPS) {
    int64_t end = start + WIDE_GROUPS < groups ? start + WIDE_GROUPS : groups;
    for (int64_t g = start; g < end; g++) {
      prefetch(ASK_NEAR, panel + g * 256 + AHEAD, 256);
      const uint8_t* levels = panel + groups * 256 + g / 2 * 2 * PANEL;
      unpack_levels(panel + g * 256, levels, bytes + 512 * (g - start));
    }
    for (int first = 0; first < rows; first += part) {
      i32x16 acc[4] = {i_set(0), i_set(0), i_set(0), i_set(0)};
      for (int64_t g = start; g < end; g++) {
        const int16_t* values = (const int16_t*)x + GROUP * (rows * g + first);
        add_bytes(bytes + 512 * (g - start), values, part, acc);
      }
      for (int r = 0; r < part; r++) i_add_to_doubles(totals[first + r], acc[r]);
    }
  }
  store_rows(KIND_W4, rows, 0, rows, panel, groups, x, totals, out);
}

#endif

// A tile of `rows` rows.
INLINE void wide_parts(
    enum kind kind, int rows, const uint8_t* panel, int64_t groups, const uint8_t* x, float* out) {
#if !defined(__AVX512VNNI__)
  if (kind == KIND_W4 && rows > 2) {
    unpacked_parts(rows, panel, groups, x, out);
    return;
  }
#endif
  for (int first = 0; first < rows; first += WIDE_ROWS(rows)) {
    wide_part(kind, rows, first, WIDE_ROWS(rows), 1, ASK_NEAR, panel, 0, groups, x, out);
  }
}

#endif
