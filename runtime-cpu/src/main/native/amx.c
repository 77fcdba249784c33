// Matrix products by AMX tiles: a tile of 16 rows of activations with a panel of 16 outputs.
//
// int8 kinds: a panel's groups are unpacked to signed bytes, once for all rows of the call; a
// group's product is an int32 tile, which is scaled and added in float32 in the order of the other
// instruction sets, so that the bits are theirs. Their panels are tiles already: [quads][16][4].
// bf16: panels are read as they lie, [pairs][16][2]; activations are rounded to bfloat16, and the
// sum of a row runs over the pairs in order, whatever the other rows.
// W8 and W4: amx_digits.c.
#include "amx.h"

#include "kernel_group.h"

#define CHUNK 32       // groups that are unpacked at once: 16 KiB
#define PAIR_CHUNK 64  // groups of bf16 between which sums go through memory: 64 KiB a panel
// Tiles of fewer rows are faster with vpdpbusd: measured, 8 rows of Q8_0 take 0.42 ms there and
// 0.75 here, 16 rows 0.76 and 0.74; of Q4_0 0.41 and 0.72, 0.71 and 0.55.
#define FEWEST_ROWS 9
// Of KIND_W4, which must be unpacked to memory first.
#define FEWEST_W4_ROWS 5

struct chunk {
  uint8_t values[CHUNK][512];
  float scale[2][CHUNK][PANEL];
  float min[CHUNK][PANEL];
};

INLINE void unpack(enum kind kind, struct reader* reader, int64_t groups, struct chunk* out) {
  __m512i zero = _mm512_set1_epi8((char)(zero_bits(kind) ? 1 << zero_bits(kind) : 0));
  for (int64_t g = 0; g < groups; g++) {
    struct group group = next_group(kind, reader, ASK_NEAR, AHEAD);
    for (int j = 0; j < 8; j++) {
      i_store(out->values[g] + 64 * j, _mm512_sub_epi8(group.quads[j], zero));
    }
    f_store(out->scale[0][g], group.scale[0]);
    if (kind == KIND_Q6_K) f_store(out->scale[1][g], group.scale[1]);
    if (has_min(kind)) f_store(out->min[g], group.min);
  }
  PUBLISH();
}

// The exact sums of one group, to `parts`: two of 16 inputs in Q6_K.
INLINE void multiply_group(
    enum kind kind, const uint8_t* values, const uint8_t* x, int32_t (*parts)[TILE_ROWS * PANEL]) {
  _tile_zero(0);
  _tile_loadd(4, x, GROUP);
  _tile_loadd(6, values, 64);
  _tile_dpbssd(0, 4, 6);
  _tile_stored(0, parts[0], 64);
  if (kind == KIND_Q6_K) {
    _tile_zero(1);
    _tile_loadd(5, x + 16, GROUP);
    _tile_loadd(7, values + 256, 64);
    _tile_dpbssd(1, 5, 7);
    _tile_stored(1, parts[1], 64);
  }
}

INLINE void add_parts(
    enum kind kind, const struct chunk* chunk, int64_t g, const uint8_t* x, int rows,
    int32_t (*parts)[TILE_ROWS * PANEL], f32x16* acc) {
  const float* scale = (const float*)(x + 32 * rows);
  f32x16 weight_scale = f_load(chunk->scale[0][g]);
  f32x16 second_scale = kind == KIND_Q6_K ? f_load(chunk->scale[1][g]) : f_zero();
  f32x16 min = has_min(kind) ? f_load(chunk->min[g]) : f_zero();
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
    f32x16 s = f_set(scale[r]), sum = f_from_i(i_load(parts[0] + PANEL * r));
    acc[r] = f_fma(sum, f_mul(weight_scale, s), acc[r]);
    if (kind == KIND_Q6_K) {
      acc[r] = f_fma(f_from_i(i_load(parts[1] + PANEL * r)), f_mul(second_scale, s), acc[r]);
    }
    if (has_min(kind)) acc[r] = f_fma(min, f_set(scale[rows + r]), acc[r]);
  }
}

// Adds a chunk's part to the sums of a tile of `rows` rows. A group's tile is read one group later,
// when it has long arrived.
INLINE void add_chunk(
    enum kind kind, const struct chunk* chunk, int64_t groups, const uint8_t* x, int rows,
    float* sums) {
  int32_t parts[2][2][TILE_ROWS * PANEL] __attribute__((aligned(64)));
  const int64_t step = QUANTIZED_ROW_BYTES * rows;
  f32x16 acc[TILE_ROWS];
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) acc[r] = f_load(sums + PANEL * r);
  multiply_group(kind, chunk->values[0], x, parts[0]);
  for (int64_t g = 1; g < groups; g++) {
    multiply_group(kind, chunk->values[g], x + g * step, parts[g & 1]);
    add_parts(kind, chunk, g - 1, x + (g - 1) * step, rows, parts[(g - 1) & 1], acc);
  }
  add_parts(kind, chunk, groups - 1, x + (groups - 1) * step, rows, parts[(groups - 1) & 1], acc);
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) f_store(sums + PANEL * r, acc[r]);
}

INLINE void multiply_panel(
    enum kind kind, const uint8_t* panel, int64_t groups, const struct rows* rows, float* sums) {
  struct chunk chunk __attribute__((aligned(64)));
  struct reader reader = read_panel(kind, panel, groups);
  for (int64_t i = 0; i < rows->count * PANEL; i++) sums[i] = 0;
  for (int64_t first = 0; first < groups; first += CHUNK) {
    int64_t count = groups - first < CHUNK ? groups - first : CHUNK;
    unpack(kind, &reader, count, &chunk);
    for (int64_t row = 0; row < rows->count; row += TILE_ROWS) {
      int64_t tile = rows_of_tile(rows, row);  // 12 or 16: FEWEST_ROWS
      const uint8_t* x =
          rows->x + (row * groups + first * tile) * QUANTIZED_ROW_BYTES;
      float* out = sums + row * PANEL;
      if (tile == 16) {
        add_chunk(kind, &chunk, count, x, 16, out);
      } else {
        add_chunk(kind, &chunk, count, x, 12, out);
      }
    }
  }
}

typedef void (*panel_product)(
    const uint8_t* panel, int64_t groups, const struct rows* rows, float* sums);

#define EACH_KIND(macro)                                                                      \
  macro(KIND_Q4_D) macro(KIND_Q4_DM) macro(KIND_Q4_K) macro(KIND_Q5_D) macro(KIND_Q5_DM)      \
  macro(KIND_Q5_K) macro(KIND_Q6_K) macro(KIND_Q8_D)
#define PANEL_PRODUCT(kind)                                                                   \
  static void panel_##kind(                                                                   \
      const uint8_t* panel, int64_t groups, const struct rows* rows, float* sums) {           \
    multiply_panel(kind, panel, groups, rows, sums);                                          \
  }
#define TABLE_ENTRY(kind) [kind] = panel_##kind,

EACH_KIND(PANEL_PRODUCT)
static const panel_product PANEL_PRODUCTS[KIND_COUNT] = {EACH_KIND(TABLE_ENTRY)};

// One step of bf16: 32 inputs of one or two tiles of rows with one or two panels.
INLINE void multiply_pairs(
    const uint8_t* a0, const uint8_t* a1, const uint8_t* b0, const uint8_t* b1, int tiles,
    int panels) {
  _tile_loadd(4, a0, PAIRS_ROW_BYTES);
  _tile_loadd(6, b0, 64);
  _tile_dpbf16ps(0, 4, 6);
  if (panels == 2) {
    _tile_loadd(7, b1, 64);
    _tile_dpbf16ps(1, 4, 7);
  }
  if (tiles == 2) {
    _tile_loadd(5, a1, PAIRS_ROW_BYTES);
    _tile_dpbf16ps(2, 5, 6);
    if (panels == 2) _tile_dpbf16ps(3, 5, 7);
  }
}

// Adds `groups` groups to the sums of one or two tiles of rows, for one or two panels.
INLINE void add_pairs(
    const uint8_t* const* a, const int64_t* step, const uint8_t* const* b, int64_t groups,
    int tiles, int panels, float* const* sums) {
  const uint8_t *a0 = a[0], *a1 = a[1], *b0 = b[0], *b1 = b[1];
  _tile_loadd(0, sums[0], 64);
  if (panels == 2) _tile_loadd(1, sums[1], 64);
  if (tiles == 2) {
    _tile_loadd(2, sums[0] + TILE_ROWS * PANEL, 64);
    if (panels == 2) _tile_loadd(3, sums[1] + TILE_ROWS * PANEL, 64);
  }
  for (int64_t g = 0; g < groups; g++) {
    for (int i = 0; i < 1024; i += 64) {
      _mm_prefetch((const char*)b0 + AHEAD + i, _MM_HINT_T0);
      if (panels == 2) _mm_prefetch((const char*)b1 + AHEAD + i, _MM_HINT_T0);
    }
    multiply_pairs(a0, a1, b0, b1, tiles, panels);
    a0 += step[0];
    a1 += step[1];
    b0 += 1024;
    b1 += 1024;
  }
  _tile_stored(0, sums[0], 64);
  if (panels == 2) _tile_stored(1, sums[1], 64);
  if (tiles == 2) {
    _tile_stored(2, sums[0] + TILE_ROWS * PANEL, 64);
    if (panels == 2) _tile_stored(3, sums[1] + TILE_ROWS * PANEL, 64);
  }
}

// One or two bf16 panels; sums are [rows rounded up to 16][16] each.
static void multiply_bf16(
    const uint8_t* const* panel, int panels, int64_t groups, const struct rows* rows,
    float* const* sums) {
  for (int p = 0; p < panels; p++) {
    for (int64_t i = 0; i < divide_up(rows->count, TILE_ROWS) * TILE_ROWS * PANEL; i++) sums[p][i] = 0;
  }
  PUBLISH();
  for (int64_t first = 0; first < groups; first += PAIR_CHUNK) {
    int64_t count = groups - first < PAIR_CHUNK ? groups - first : PAIR_CHUNK;
    const uint8_t* b[2] = {panel[0] + first * 1024, panel[panels - 1] + first * 1024};
    for (int64_t row = 0; row < rows->count; row += 2 * TILE_ROWS) {
      int tiles = rows->count - row > TILE_ROWS ? 2 : 1;
      const uint8_t* a[2];
      int64_t step[2];
      for (int t = 0; t < 2; t++) {
        int64_t at = row + (t < tiles ? t : 0) * TILE_ROWS;
        step[t] = rows_of_tile(rows, at) * PAIRS_ROW_BYTES;
        a[t] = rows->x + at * groups * PAIRS_ROW_BYTES + first * step[t];
      }
      float* out[2] = {sums[0] + row * PANEL, sums[panels - 1] + row * PANEL};
      if (tiles == 2 && panels == 2) {
        add_pairs(a, step, b, count, 2, 2, out);
      } else if (tiles == 2) {
        add_pairs(a, step, b, count, 2, 1, out);
      } else if (panels == 2) {
        add_pairs(a, step, b, count, 1, 2, out);
      } else {
        add_pairs(a, step, b, count, 1, 1, out);
      }
    }
  }
}

// A call's rows, and the tiles' shape of the moment.
struct call {
  const struct matmul* job;
  int64_t first_row, end_row;
  struct tile_shape shape;
};

static struct rows rows_for(const struct call* call, const struct weft_matrix* matrix, enum form form) {
  return (struct rows){.x = call->job->x[form] + tile_offset(form, matrix->groups, call->first_row),
      .count = call->end_row - call->first_row, .all = call->job->rows - call->first_row};
}

// The sums of one panel of a kind that has scales for groups, or of floats.
static void sum_panel(
    struct call* call, const struct weft_matrix* matrix, int64_t panel, float* sums) {
  int64_t rows = call->end_row - call->first_row, tail = rows % TILE_ROWS;
  int64_t tiled = matrix->kind >= KIND_F32 ? 0 : tail < FEWEST_ROWS ? rows - tail : rows;
  if (tiled > 0) {
    struct rows these = rows_for(call, matrix, FORM_GROUPS);
    these.count = tiled;
    shape_tiles(&call->shape, TILE_ROWS, matrix->kind == KIND_Q6_K ? 16 : 32);
    PANEL_PRODUCTS[matrix->kind](
        matrix->data + panel * matrix->panel_bytes, matrix->groups, &these, sums);
  }
  for (int64_t row = tiled; row < rows; row += TILE_ROWS) {
    int64_t tile = rows - row < TILE_ROWS ? rows - row : TILE_ROWS;
    weft_kernels_avx512.product(
        matrix, call->job, panel, call->first_row + row, tile, sums + row * PANEL);
  }
}

// The sums of one or two panels of one matrix, or of the same panel of two matrices.
static void sum_panels(
    struct call* call, const struct weft_matrix* const* matrices, const int64_t* panels, int count,
    float* const* sums) {
  if (matrices[0]->kind == KIND_BF16 && matrices[count - 1]->kind == KIND_BF16) {
    struct rows rows = rows_for(call, matrices[0], FORM_PAIRS);
    const uint8_t* at[2];
    for (int i = 0; i < count; i++) at[i] = matrices[i]->data + panels[i] * matrices[i]->panel_bytes;
    shape_tiles(&call->shape, TILE_ROWS, 64);
    multiply_bf16(at, count, matrices[0]->groups, &rows, sums);
    return;
  }
  if (is_wide(matrices[0]->kind) && is_wide(matrices[count - 1]->kind)) {
    struct rows rows = rows_for(call, matrices[0], FORM_DIGITS);
    const uint8_t* at[2];
    for (int i = 0; i < count; i++) at[i] = matrices[i]->data + panels[i] * matrices[i]->panel_bytes;
    weft_amx_digits(matrices, at, count, &rows, &call->shape, sums);
    return;
  }
  for (int i = 0; i < count; i++) {
    if (matrices[i]->kind == KIND_BF16 || is_wide(matrices[i]->kind)) {
      sum_panels(call, matrices + i, panels + i, 1, sums + i);
    } else {
      sum_panel(call, matrices[i], panels[i], sums[i]);
    }
  }
}

// Asks for what a tile of rows will be written to: rows of y often lie a multiple of 4 KiB apart.
static void ask_to_write(const struct matmul* job, int64_t row, int64_t end_row, int64_t panel) {
  for (int64_t r = row; r < row + TILE_ROWS && r < end_row; r++) {
    __builtin_prefetch(job->y + r * job->stride + panel * PANEL, 1);
  }
}

// Panels panel..panel+count-1, a tile of rows of all of them at a time.
static void finish_panels(
    const struct call* call, float* const* sums, const float* up, int64_t panel, int count) {
  for (int64_t row = call->first_row; row < call->end_row; row += TILE_ROWS) {
    int64_t rows = call->end_row - row < TILE_ROWS ? call->end_row - row : TILE_ROWS;
    int64_t at = (row - call->first_row) * PANEL;
    for (int i = 0; i < count; i++) {
      ask_to_write(call->job, row + TILE_ROWS, call->end_row, panel + i);
      weft_kernels_avx512.finish_tile(call->job, sums[i] + at, up + at, row, rows, panel + i);
    }
  }
}

static int uses_tiles(const struct weft_matrix* matrix, int64_t rows) {
  switch (matrix->kind) {
    case KIND_F32:
    case KIND_F16: return 0;
    case KIND_BF16:
    case KIND_W8: return 1;
    case KIND_W4: return rows >= FEWEST_W4_ROWS;
    default: return rows >= FEWEST_ROWS;
  }
}

void weft_amx_matmul(
    const struct matmul* job, int64_t first_panel, int64_t end_panel, int64_t first_row,
    int64_t end_row) {
  if (!uses_tiles(job->matrix, job->rows) && !(job->up && uses_tiles(job->up, job->rows))) {
    weft_kernels_avx512.matmul(job, first_panel, end_panel, first_row, end_row);
    return;
  }
  float sums[2][BLOCK_ROWS * PANEL] __attribute__((aligned(64)));
  float* both[2] = {sums[0], sums[1]};
  struct call call = {.job = job, .first_row = first_row, .end_row = end_row};
  for (int64_t panel = first_panel; panel < end_panel;) {
    if (job->up) {
      sum_panels(&call, (const struct weft_matrix*[]){job->matrix, job->up},
          (int64_t[]){panel, panel}, 2, both);
      finish_panels(&call, both, sums[1], panel++, 1);
    } else {
      int count = end_panel - panel > 1 ? 2 : 1;
      sum_panels(&call, (const struct weft_matrix*[]){job->matrix, job->matrix},
          (int64_t[]){panel, panel + 1}, count, both);
      finish_panels(&call, both, sums[0], panel, count);
      panel += count;
    }
  }
  if (call.shape.rows) _tile_release();
}
