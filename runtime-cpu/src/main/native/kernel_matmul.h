// Matrix products of a tile of rows with a panel of 16 outputs. Included by kernels.c.
#include "kernel_group.h"
#include "kernel_wide.h"

// Registers hold so many rows' sums at once.
#if defined(__AVX512VNNI__)
#define ROWS_AT_ONCE 16
#else
#define ROWS_AT_ONCE 4
#endif
// Rows at once when a tile has `rows`: a divisor of it.
#define PART(rows) \
  ((rows) <= ROWS_AT_ONCE ? (rows) : (rows) % 4 == 0 ? 4 : (rows) % 3 == 0 ? 3 : 2)

#if defined(__AVX512VNNI__)

// Whether sums of products come without the weights' zero point.
INLINE int is_centred(enum kind kind) {
  (void)kind;
  return 0;
}

// Adds to each row's sum the products with quads from..until-1 of a group; the rows' values are
// GROUP bytes apart.
INLINE void add_quads(
    enum kind kind, const struct group* group, int from, int until, const int8_t* values, int count,
    i32x16* sums) {
  (void)kind;
#pragma GCC unroll 16
  for (int r = 0; r < count; r++) {
#pragma GCC unroll 8
    for (int j = from; j < until; j++) {
      sums[r] = i_dot(sums[r], group->quads[j], values + GROUP * r + 4 * j);
    }
  }
}

#else

// As signed bytes no product of two pairs leaves 16 bits; as unsigned ones they would.
INLINE int is_centred(enum kind kind) { return kind == KIND_Q8_D; }

// All loops over quads stay loops: unrolled, the compiler loads all quads first and runs out of
// registers.

INLINE void add_byte_quads(const uint8_t* at, const int8_t* values, int count, i32x16* sums) {
#pragma GCC unroll 1
  for (int j = 0; j < 8; j++) {
    i32x16 quad = i_signed(i_load(at + 64 * j));
#pragma GCC unroll 4
    for (int r = 0; r < count; r++) {
      sums[r] = i_add_pairs(sums[r], i_signed_pairs(quad, values + GROUP * r + 4 * j));
    }
  }
}

// A nibble of 32 inputs at most counts 15 * 127: all quads of a group stay within 16 bits.
INLINE void add_nibble_quads(const uint8_t* at, const int8_t* values, int count, i32x16* sums) {
  i32x16 pairs[ROWS_AT_ONCE];
#pragma GCC unroll 4
  for (int r = 0; r < count; r++) pairs[r] = i_set(0);
#pragma GCC unroll 1
  for (int j = 0; j < 4; j++) {
    i32x16 both = i_load(at + 64 * j);
    i32x16 low = i_low_nibbles(both), high = i_high_nibbles(both);
#pragma GCC unroll 4
    for (int r = 0; r < count; r++) {
      const int8_t* quad = values + GROUP * r + 4 * j;
      pairs[r] = i_add_halves(pairs[r], i_pairs(low, quad));
      pairs[r] = i_add_halves(pairs[r], i_pairs(high, quad + 16));
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < count; r++) sums[r] = i_add_pairs(sums[r], pairs[r]);
}

// Of five bits, four quads stay within 16 bits.
INLINE void add_five_quads(const uint8_t* at, const int8_t* values, int count, i32x16* sums) {
  i32x16 bits = i_load(at + 256);  // those of quads j and j + 4 lowest and fifth
#pragma GCC unroll 1
  for (int start = 0; start < 4; start += 2) {
    i32x16 pairs[ROWS_AT_ONCE];
#pragma GCC unroll 2
    for (int j = start; j < start + 2; j++) {
      i32x16 both = i_load(at + 64 * j);
      i32x16 low = i_or(i_low_nibbles(both), i_high_bits(bits, 1, 0));
      i32x16 high = i_or(i_high_nibbles(both), i_high_bits(bits, 1, 4));
      bits = i_shift_halves_right(bits, 1);
#pragma GCC unroll 4
      for (int r = 0; r < count; r++) {
        const int8_t* quad = values + GROUP * r + 4 * j;
        i32x16 product = i_pairs(low, quad);
        pairs[r] = j == start ? product : i_add_halves(pairs[r], product);
        pairs[r] = i_add_halves(pairs[r], i_pairs(high, quad + 16));
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < count; r++) sums[r] = i_add_pairs(sums[r], pairs[r]);
  }
}

// Of six bits, two quads stay within 16 bits. The quads of one half of the group.
INLINE void add_six_quads(
    int half, const uint8_t* at, const int8_t* values, int count, i32x16* sums) {
  i32x16 bits = i_load(at + 256 + 64 * half);  // those of quad j lowest
#pragma GCC unroll 1
  for (int start = 0; start < 4; start += 2) {
    i32x16 pairs[ROWS_AT_ONCE];
#pragma GCC unroll 2
    for (int j = start; j < start + 2; j++) {
      i32x16 both = i_load(at + 64 * j);
      i32x16 nibbles = half ? i_high_nibbles(both) : i_low_nibbles(both);
      i32x16 quad = i_or(nibbles, i_high_bits(bits, 2, 0));
      bits = i_shift_halves_right(bits, 2);
#pragma GCC unroll 4
      for (int r = 0; r < count; r++) {
        i32x16 product = i_pairs(quad, values + GROUP * r + 16 * half + 4 * j);
        pairs[r] = j == start ? product : i_add_halves(pairs[r], product);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < count; r++) sums[r] = i_add_pairs(sums[r], pairs[r]);
  }
}

INLINE void add_quads(
    enum kind kind, const struct group* group, int from, int until, const int8_t* values, int count,
    i32x16* sums) {
  (void)until;
  switch (high_bits(kind)) {
    case 1: add_five_quads(group->at, values, count, sums); break;
    case 2: add_six_quads(from / 4, group->at, values, count, sums); break;
    default:
      if (has_nibbles(kind)) {
        add_nibble_quads(group->at, values, count, sums);
      } else {
        add_byte_quads(group->at, values, count, sums);
      }
  }
}

#endif

// What a zero point of 2^bits takes from a sum of products.
INLINE i32x16 zero_part(enum kind kind, int32_t negative_sum) {
  int bits = is_centred(kind) ? 0 : zero_bits(kind);
  return bits ? i_set(negative_sum << bits) : i_set(0);
}

// Adds a group's part to rows first..first+count-1 of a tile of `rows` rows.
INLINE void add_group(
    enum kind kind, const struct group* group, const uint8_t* x, int rows, int first, int count,
    f32x16* acc) {
  const int8_t* values = (const int8_t*)x + GROUP * first;
  const float* scale = (const float*)(x + GROUP * rows) + first;
  const float* scaled_sum = scale + rows;
  const int32_t* negative_sum = (const int32_t*)(scaled_sum + rows);
  const int32_t* negative_first = negative_sum + rows;
  const int parts = kind == KIND_Q6_K ? 2 : 1, quads = 8 / parts;
#pragma GCC unroll 2
  for (int part = 0; part < parts; part++) {
    i32x16 sums[ROWS_AT_ONCE];
#pragma GCC unroll 16
    for (int r = 0; r < count; r++) {
      int32_t negative = parts == 1 ? negative_sum[r]
          : part == 0 ? negative_first[r] : negative_sum[r] - negative_first[r];
      sums[r] = zero_part(kind, negative);
    }
    add_quads(kind, group, part * quads, part * quads + quads, values, count, sums);
#pragma GCC unroll 16
    for (int r = 0; r < count; r++) {
      acc[r] = f_fma(f_from_i(sums[r]), f_mul(group->scale[part], f_set(scale[r])), acc[r]);
    }
  }
  if (!has_min(kind)) return;
#pragma GCC unroll 16
  for (int r = 0; r < count; r++) {
    acc[r] = f_fma(group->min, f_set(scaled_sum[r]), acc[r]);
  }
}

// Several panels at once when there are few rows: as many streams from memory, and enough sums in
// flight to hide their latency. Of rows first..first+count-1 of each.
INLINE void group_part(
    enum kind kind, int rows, int first, int count, int panels, enum asking asking,
    const uint8_t* panel, int64_t panel_bytes, int64_t groups, const uint8_t* x, float* out) {
  f32x16 acc[TILE_ROWS];
  struct reader readers[4];
#pragma GCC unroll 16
  for (int i = 0; i < count * panels; i++) acc[i] = f_zero();
#pragma GCC unroll 4
  for (int p = 0; p < panels; p++) readers[p] = read_panel(kind, panel + p * panel_bytes, groups);
  for (int64_t g = 0; g < groups; g++) {
    int64_t further = ahead(panel + panel_bytes - readers[0].at, panels, panel_bytes);
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) {
      struct group group = next_group(kind, &readers[p], asking, further);
      add_group(kind, &group, x, rows, first, count, acc + p * count);
    }
    x += QUANTIZED_ROW_BYTES * rows;
  }
#pragma GCC unroll 4
  for (int p = 0; p < panels; p++) {
#pragma GCC unroll 16
    for (int r = 0; r < count; r++) {
      f_store(out + PANEL * (p * TILE_ROWS + first + r), acc[p * count + r]);
    }
  }
}

// A tile of `rows` rows.
INLINE void group_parts(
    enum kind kind, int rows, const uint8_t* panel, int64_t groups, const uint8_t* x, float* out) {
  for (int first = 0; first < rows; first += PART(rows)) {
    group_part(kind, rows, first, PART(rows), 1, ASK_NEAR, panel, 0, groups, x, out);
  }
}

// Weights of two inputs.
struct two {
  f32x16 first, second;
};

INLINE struct two load_two(enum kind kind, const uint8_t* at) {
  if (kind == KIND_F32) return (struct two){f_load((const float*)at), f_load((const float*)at + PANEL)};
  if (kind == KIND_F16) {
    const uint16_t* halves = (const uint16_t*)at;
    return (struct two){f_load_f16(halves), f_load_f16(halves + PANEL)};
  }
  i32x16 pairs = i_load(at);
  return (struct two){f_of_bits(i_shift_left(pairs, 16)), f_of_bits(i_high_halves(pairs))};
}

// The weights of an odd last input; zeros for the other.
INLINE struct two load_last(enum kind kind, const uint8_t* at) {
  if (kind == KIND_F32) return (struct two){f_load((const float*)at), f_zero()};
  if (kind == KIND_F16) return (struct two){f_load_f16((const uint16_t*)at), f_zero()};
  return load_two(kind, at);
}

INLINE void add_two(
    struct two w, const float* values, int rows, int count, int inputs, f32x16* acc) {
#pragma GCC unroll 16
  for (int r = 0; r < count; r++) acc[r] = f_fma(w.first, f_set(values[r]), acc[r]);
  if (inputs < 2) return;
#pragma GCC unroll 16
  for (int r = 0; r < count; r++) acc[r] = f_fma(w.second, f_set(values[rows + r]), acc[r]);
}

// As group_part.
INLINE void float_part(
    enum kind kind, int rows, int first, int count, int panels, enum asking asking,
    const uint8_t* panel, int64_t panel_bytes, int64_t inputs, const uint8_t* x, float* out) {
  const int step = kind == KIND_F32 ? 128 : 64;
  f32x16 acc[TILE_ROWS];
  const float* values = (const float*)x + first;
#pragma GCC unroll 16
  for (int i = 0; i < count * panels; i++) acc[i] = f_zero();
  const uint8_t* end = panel + panel_bytes;
  for (int64_t k = 0; k + 1 < inputs; k += 2) {
    int64_t further = ahead(end - panel, panels, panel_bytes);
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) {
      prefetch(asking, panel + p * panel_bytes + further, step);
      add_two(load_two(kind, panel + p * panel_bytes), values, rows, count, 2, acc + p * count);
    }
    panel += step;
    values += 2 * rows;
  }
  if (inputs % 2) {
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) {
      add_two(load_last(kind, panel + p * panel_bytes), values, rows, count, 1, acc + p * count);
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < panels; p++) {
#pragma GCC unroll 16
    for (int r = 0; r < count; r++) {
      f_store(out + PANEL * (p * TILE_ROWS + first + r), acc[p * count + r]);
    }
  }
}

// A tile of `rows` rows.
INLINE void float_parts(
    enum kind kind, int rows, const uint8_t* panel, int64_t inputs, const uint8_t* x, float* out) {
  for (int first = 0; first < rows; first += PART(rows)) {
    float_part(kind, rows, first, PART(rows), 1, ASK_NEAR, panel, 0, inputs, x, out);
  }
}

// Whether this instruction set multiplies pairs of bfloat16 by itself.
#if defined(__AVX512BF16__)
#define HAS_PAIRS 1
#else
#define HAS_PAIRS 0
#endif

// As float_part, of KIND_BF16 with FORM_PAIRS: a row's sum runs over the pairs in order.
INLINE void pairs_part(
    int rows, int first, int count, int panels, enum asking asking, const uint8_t* panel,
    int64_t panel_bytes, int64_t groups, const uint8_t* x, float* out) {
#if HAS_PAIRS
  f32x16 acc[TILE_ROWS];
  x += PAIRS_ROW_BYTES * first;
#pragma GCC unroll 16
  for (int i = 0; i < count * panels; i++) acc[i] = f_zero();
  const uint8_t* end = panel + panel_bytes;
  for (int64_t g = 0; g < groups; g++, x += PAIRS_ROW_BYTES * rows) {
    int64_t further = ahead(end - panel, panels, panel_bytes);
    for (int pair = 0; pair < GROUP / 2; pair++, panel += 64) {
#pragma GCC unroll 4
      for (int p = 0; p < panels; p++) {
        prefetch(asking, panel + p * panel_bytes + further, 64);
        i32x16 weights = i_load(panel + p * panel_bytes);
#pragma GCC unroll 16
        for (int r = 0; r < count; r++) {
          acc[p * count + r] =
              f_dot_bf16(acc[p * count + r], weights, x + PAIRS_ROW_BYTES * r + 4 * pair);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < panels; p++) {
#pragma GCC unroll 16
    for (int r = 0; r < count; r++) {
      f_store(out + PANEL * (p * TILE_ROWS + first + r), acc[p * count + r]);
    }
  }
#else
  (void)rows, (void)first, (void)count, (void)panels, (void)asking, (void)panel, (void)panel_bytes;
  (void)groups, (void)x, (void)out;
#endif
}

typedef void (*tile_product)(
    const uint8_t* panel, const struct weft_matrix* matrix, const uint8_t* x, float* out);

#define TILE_PRODUCT(kind, rows)                                                               \
  static void tile_##kind##_##rows(                                                            \
      const uint8_t* panel, const struct weft_matrix* matrix, const uint8_t* x, float* out) {  \
    if (is_wide(kind)) {                                                                       \
      wide_parts(kind, rows, panel, matrix->groups, x, out);                                   \
    } else if (kind < KIND_F32) {                                                              \
      group_parts(kind, rows, panel, matrix->groups, x, out);                                  \
    } else if (kind == KIND_BF16 && HAS_PAIRS) {                                               \
      pairs_part(rows, 0, rows, 1, ASK_NEAR, panel, 0, matrix->groups, x, out);                \
    } else {                                                                                   \
      float_parts(kind, rows, panel, matrix->inputs, x, out);                                  \
    }                                                                                          \
  }

// Outputs of panel p at out + p * TILE_ROWS * PANEL.
#define FOUR_PANELS(kind, rows)                                                                \
  static void four_##kind##_##rows(                                                            \
      const uint8_t* panel, const struct weft_matrix* matrix, const uint8_t* x, float* out) {  \
    int64_t bytes = matrix->panel_bytes, groups = matrix->groups;                              \
    if (is_wide(kind)) {                                                                       \
      wide_part(kind, rows, 0, rows, 4, ASK_NEAR, panel, bytes, groups, x, out);               \
    } else if (kind < KIND_F32) {                                                              \
      group_part(kind, rows, 0, rows, 4, ASK_NEAR, panel, bytes, groups, x, out);              \
    } else if (kind == KIND_BF16 && HAS_PAIRS) {                                               \
      pairs_part(rows, 0, rows, 4, ASK_NEAR, panel, bytes, groups, x, out);                    \
    } else {                                                                                   \
      float_part(kind, rows, 0, rows, 4, ASK_NEAR, panel, bytes, matrix->inputs, x, out);      \
    }                                                                                          \
  }

#if defined(__AVX512VNNI__)

// The same on AMD's processors with AVX-512, which fetch ahead by themselves, best of one stream,
// and are slowed by being asked as well. Of kinds whose sums of one panel would wait for each
// other, four panels at once.
#define OWN_AHEAD(kind, rows)                                                                  \
  static void own_##kind##_##rows(                                                             \
      const uint8_t* panel, const struct weft_matrix* matrix, const uint8_t* x, float* out) {  \
    int64_t bytes = matrix->panel_bytes, groups = matrix->groups;                              \
    if (kind == KIND_W4) {                                                                     \
      wide_part(kind, rows, 0, rows, 4, ASK_FAR, panel, bytes, groups, x, out);                \
    } else if (kind == KIND_BF16 && HAS_PAIRS) {                                               \
      pairs_part(rows, 0, rows, 4, ASK_NOT, panel, bytes, groups, x, out);                     \
    } else if (kind >= KIND_F32) {                                                             \
      float_part(kind, rows, 0, rows, 4, ASK_NOT, panel, bytes, matrix->inputs, x, out);       \
    } else {                                                                                   \
      for (int p = 0; p < 4; p++, panel += bytes, out += TILE_ROWS * PANEL) {                  \
        if (is_wide(kind)) {                                                                   \
          wide_part(kind, rows, 0, rows, 1, ASK_NOT, panel, bytes, groups, x, out);            \
        } else {                                                                               \
          group_part(kind, rows, 0, rows, 1, ASK_NOT, panel, bytes, groups, x, out);           \
        }                                                                                      \
      }                                                                                        \
    }                                                                                          \
  }

#endif

#define EACH_KIND(macro, rows)                                                              \
  macro(KIND_Q4_D, rows) macro(KIND_Q4_DM, rows) macro(KIND_Q4_K, rows)                     \
  macro(KIND_Q5_D, rows) macro(KIND_Q5_DM, rows) macro(KIND_Q5_K, rows)                     \
  macro(KIND_Q6_K, rows) macro(KIND_Q8_D, rows) macro(KIND_W8, rows) macro(KIND_W4, rows)   \
  macro(KIND_F32, rows) macro(KIND_F16, rows) macro(KIND_BF16, rows)

EACH_KIND(TILE_PRODUCT, 1)
EACH_KIND(TILE_PRODUCT, 2)
EACH_KIND(TILE_PRODUCT, 3)
EACH_KIND(TILE_PRODUCT, 4)
EACH_KIND(TILE_PRODUCT, 6)
EACH_KIND(TILE_PRODUCT, 8)
EACH_KIND(TILE_PRODUCT, 12)
EACH_KIND(TILE_PRODUCT, 16)
EACH_KIND(FOUR_PANELS, 1)
EACH_KIND(FOUR_PANELS, 2)

#define TABLE_ENTRY(kind, rows) [kind] = tile_##kind##_##rows,
#define FOUR_PANELS_ENTRY(kind, rows) [kind] = four_##kind##_##rows,

static const tile_product TILE_PRODUCTS[TILE_ROWS + 1][KIND_COUNT] = {
  [1] = {EACH_KIND(TABLE_ENTRY, 1)},   [2] = {EACH_KIND(TABLE_ENTRY, 2)},
  [3] = {EACH_KIND(TABLE_ENTRY, 3)},   [4] = {EACH_KIND(TABLE_ENTRY, 4)},
  [6] = {EACH_KIND(TABLE_ENTRY, 6)},   [8] = {EACH_KIND(TABLE_ENTRY, 8)},
  [12] = {EACH_KIND(TABLE_ENTRY, 12)}, [16] = {EACH_KIND(TABLE_ENTRY, 16)},
};

static const tile_product FOUR_PANEL_PRODUCTS[FOUR_PANELS_ROWS + 1][KIND_COUNT] = {
  [1] = {EACH_KIND(FOUR_PANELS_ENTRY, 1)}, [2] = {EACH_KIND(FOUR_PANELS_ENTRY, 2)},
};

#if defined(__AVX512VNNI__)
EACH_KIND(OWN_AHEAD, 1)
EACH_KIND(OWN_AHEAD, 2)

#define OWN_AHEAD_ENTRY(kind, rows) [kind] = own_##kind##_##rows,

static const tile_product OWN_AHEAD_PRODUCTS[FOUR_PANELS_ROWS + 1][KIND_COUNT] = {
  [1] = {EACH_KIND(OWN_AHEAD_ENTRY, 1)}, [2] = {EACH_KIND(OWN_AHEAD_ENTRY, 2)},
};
#endif

// Products of so few rows with four panels.
static const tile_product* four_panels(int64_t rows) {
#if defined(__AVX512VNNI__)
  if (__builtin_cpu_is("amd")) return OWN_AHEAD_PRODUCTS[rows];
#endif
  return FOUR_PANEL_PRODUCTS[rows];
}

INLINE f32x16 activate(enum activation activation, f32x16 x) {
  switch (activation) {
    case ACTIVATION_GELU_TANH: return f_gelu_tanh(x);
    case ACTIVATION_GELU_ERF: return f_gelu_erf(x);
    default: return f_silu(x);
  }
}

// Finishes one panel's tile: out and up are [16 rows][16 outputs].
static void finish_tile(
    const struct matmul* job, const float* out, const float* up, int64_t row, int64_t rows,
    int64_t panel) {
  int64_t first = panel * PANEL, count = job->matrix->outputs - first;
  float whole[PANEL] = {0};
  f32x16 bias = job->bias ? f_load_part(job->bias + first, count) : f_zero();
  f32x16 up_bias = job->up_bias ? f_load_part(job->up_bias + first, count) : f_zero();
  for (int64_t r = 0; r < rows; r++) {
    float* y = job->y + (row + r) * job->stride + first;
    float* target = count >= PANEL ? y : memcpy(whole, y, sizeof(float) * (size_t)count);
    f32x16 x = f_add(f_load(out + PANEL * r), bias);
    if (job->adapted.adapters) x = add_low_rank(&job->adapted, job->part, row + r, panel, x);
    if (job->epilogue == EPILOGUE_ADD) x = f_add(f_load(target), x);
    if (job->epilogue == EPILOGUE_GELU) x = activate(ACTIVATION_GELU_ERF, x);
    if (job->epilogue == EPILOGUE_GATED) {
      f32x16 u = f_add(f_load(up + PANEL * r), up_bias);
      if (job->adapted.adapters) u = add_low_rank(&job->adapted, job->up_part, row + r, panel, u);
      x = f_mul(activate(job->activation, x), u);
    }
    f_store(target, x);
    if (count < PANEL) memcpy(y, whole, sizeof(float) * (size_t)count);
  }
}

// `rows` rows from `row` on by one panel, or by four.
static void multiply_tile(
    const tile_product* products, const struct weft_matrix* matrix, const struct matmul* job,
    int64_t panel, int64_t row, float* out) {
  enum form form = form_of(&KERNELS, matrix->kind);
  const uint8_t* x = job->x[form] + tile_offset(form, matrix->groups, row);
  products[matrix->kind](matrix->data + panel * matrix->panel_bytes, matrix, x, out);
}

static void product(
    const struct weft_matrix* matrix, const struct matmul* job, int64_t panel, int64_t row,
    int64_t rows, float* out) {
  multiply_tile(TILE_PRODUCTS[tile_rows(rows)], matrix, job, panel, row, out);
}

static void matmul(
    const struct matmul* job, int64_t first_panel, int64_t end_panel, int64_t first_row,
    int64_t end_row) {
  float out[4][TILE_ROWS * PANEL] __attribute__((aligned(64)));
  float up[4][TILE_ROWS * PANEL] __attribute__((aligned(64)));
  int64_t panel = first_panel;
  if (job->rows <= FOUR_PANELS_ROWS) {
    const tile_product* products = four_panels(job->rows);
    for (; panel + 4 <= end_panel; panel += 4) {
      multiply_tile(products, job->matrix, job, panel, 0, out[0]);
      if (job->up) multiply_tile(products, job->up, job, panel, 0, up[0]);
      for (int p = 0; p < 4; p++) finish_tile(job, out[p], up[p], 0, job->rows, panel + p);
    }
  }
  for (; panel < end_panel; panel++) {
    for (int64_t row = first_row; row < end_row; row += TILE_ROWS) {
      int64_t rows = end_row - row < TILE_ROWS ? end_row - row : TILE_ROWS;
      product(job->matrix, job, panel, row, rows, out[0]);
      if (job->up) product(job->up, job, panel, row, rows, up[0]);
      finish_tile(job, out[0], up[0], row, rows, panel);
    }
  }
}
