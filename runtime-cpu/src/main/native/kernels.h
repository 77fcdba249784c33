// The kernels of one instruction set, and the memory layouts that they share.
#ifndef KERNELS_H
#define KERNELS_H

#include "adapter.h"
#include "matrix.h"

// Activations come in tiles of up to 16 rows, so that a weight is loaded once for all of them and
// every address is a constant away from one pointer. A tile of R rows (R one of 1, 2, 3, 4, 6, 8,
// 12, 16: rows that are not there are zeros) is, per group of 32 inputs:
//   groups: int8 [R][32], f32 scale[R], f32 scale * sum [R], i32 -sum [R], i32 -sum of the first 16
//           inputs [R]
//   floats: f32 [32][R]
//   pairs:  bf16 [R][32]
// halves and digits hold whole numbers t up to WIDEST, one scale a row: x = scale * t. Per pair of
// groups (64 inputs, zeros beyond the last):
//   halves: int16 [2][R][32], of each quad t0 t2 t1 t3
//   digits: int8 [R][64] of h, then of l: t = 128 h + l, l in [-64, 63]
// and after all of them f32 scale[R], i32 sum of t [R].
#define TILE_ROWS 16
#define WIDEST (127 * 128)

// The most rows of one call of matmul: their activations stay in the second-level cache while the
// panels pass.
#define BLOCK_ROWS 128

// Up to so many rows four panels go at once.
#define FOUR_PANELS_ROWS 2

#define QUANTIZED_ROW_BYTES 48
#define FLOAT_ROW_BYTES 128
#define PAIRS_ROW_BYTES 64
#define WIDE_ROW_BYTES 64      // a group
#define WIDE_ROW_TAIL_BYTES 8  // of scale and sum

// Bytes after the last tile that kernels may read: they load 16 rows, whatever a tile has.
#define TILE_SLACK (TILE_ROWS * PAIRS_ROW_BYTES)

static inline int64_t wide_values_bytes(int64_t groups) {
  return divide_up(groups, 2) * 2 * WIDE_ROW_BYTES;
}

// Bytes of a row of `groups` groups.
static inline int64_t row_bytes(enum form form, int64_t groups) {
  switch (form) {
    case FORM_FLOATS: return groups * FLOAT_ROW_BYTES;
    case FORM_PAIRS: return groups * PAIRS_ROW_BYTES;
    case FORM_HALVES:
    case FORM_DIGITS: return wide_values_bytes(groups) + WIDE_ROW_TAIL_BYTES;
    default: return groups * QUANTIZED_ROW_BYTES;
  }
}

// Rows of the tile that holds `rows` (1..16) rows.
static inline int64_t tile_rows(int64_t rows) {
  return rows <= 4 ? rows : rows <= 6 ? 6 : rows <= 8 ? 8 : rows <= 12 ? 12 : 16;
}

// Start of the tile of row `row`, a multiple of 16.
static inline int64_t tile_offset(enum form form, int64_t groups, int64_t row) {
  return row * row_bytes(form, groups);
}

enum activation { ACTIVATION_SILU, ACTIVATION_GELU_TANH, ACTIVATION_GELU_ERF };

enum epilogue {
  EPILOGUE_STORE,  // y = x W^T + bias
  EPILOGUE_ADD,    // y += x W^T + bias
  EPILOGUE_GATED,  // y = activation(x W^T) * (x up^T)
  EPILOGUE_GELU    // y = gelu(x W^T + bias)
};

// What rows' adapters add to a product, before its epilogue.
struct adapted {
  const struct weft_adapter* const* adapters;  // [rows], null for a row without; null for no row
  int64_t first_part;                          // of the adapters' parts
  const float* inner;                          // [rows][stride]: of each part, scale * A x
  int64_t stride, rank;                        // floats of a row, and of a part of it
};

struct matmul {
  const struct weft_matrix* matrix;
  const struct weft_matrix* up;  // EPILOGUE_GATED only; of any kind
  const float* bias;             // [outputs] or null
  const float* up_bias;
  const uint8_t* x[FORM_COUNT];  // tiles of the forms in use
  int64_t rows;
  float* y;
  int64_t stride;  // floats between rows of y
  enum epilogue epilogue;
  enum activation activation;
  struct adapted adapted;
  int64_t part, up_part;  // from adapted.first_part on
};

// KV memory of one layer and KV head within a block: K [head_size][block_tokens], then
// V [block_tokens][padded_head_size], both of f16 or int8. Before int8 lie its scales: f16
// [block_tokens] of K, then as many of V.
struct kv_shape {
  int int8;
  int64_t head_size, padded_head_size, block_tokens;
  int64_t kv_heads, layers;
  int64_t used_bytes;                     // of a block
  int64_t block_bytes, blocks_per_chunk;  // blocks lie in chunks of 2 MiB, or span whole ones
  uint8_t* base;
};

#define CHUNK_BYTES (2 << 20)

static inline uint8_t* block_address(const struct kv_shape* kv, int32_t block) {
  int64_t per = kv->blocks_per_chunk;
  return kv->base + (per > 0 ? block / per * CHUNK_BYTES + block % per * kv->block_bytes
                             : block * kv->block_bytes);
}

static inline int64_t kv_scale_bytes(const struct kv_shape* kv) {
  return kv->int8 ? 4 * kv->block_tokens : 0;
}

static inline int64_t kv_head_bytes(const struct kv_shape* kv) {
  int64_t element = kv->int8 ? 1 : 2;
  return kv_scale_bytes(kv) + element * kv->block_tokens * (kv->head_size + kv->padded_head_size);
}

static inline uint8_t* kv_address(
    const struct kv_shape* kv, int32_t block, int64_t layer, int64_t kv_head) {
  return block_address(kv, block) + (layer * kv->kv_heads + kv_head) * kv_head_bytes(kv);
}

// Attention of up to 16 queries of one sequence and KV head over the keys of one split.
struct attention_tile {
  const struct kv_shape* kv;
  const int32_t* blocks;  // the sequence's block table
  int64_t layer, kv_head;
  int64_t queries;             // 1..16
  const float* q;              // [head_size][tile_rows(queries)], scaled
  const int64_t* first_key;    // per query; sliding windows
  const int64_t* last_key;     // per query, itself
  int64_t first_block, end_block;  // the split
  float* scores;               // scratch [vectors of the split][tile_rows(queries)][16]
  float* highest;              // [16] running, -inf at first
  float* total;                // [16] running, 0 at first
  float* out;                  // [16][padded_head_size] running, 0 at first
};

struct kernels {
  const char* name;
  enum form bf16_form;   // what KIND_BF16 multiplies with
  enum form wide_form;   // what KIND_W8 and KIND_W4 multiply with
  // Puts row `index` of a tile of `rows` rows into `form`; x null is a row of zeros.
  void (*quantize)(enum form form, const float* x, int64_t inputs, int64_t groups, uint8_t* tile,
      int64_t rows, int64_t index);
  // Rows first_row..end_row-1 of panels first_panel..end_panel-1; first_row is a tile's.
  void (*matmul)(const struct matmul* job, int64_t first_panel, int64_t end_panel,
      int64_t first_row, int64_t end_row);
  // The sums of a tile's rows (1..16 from `row`) with one panel: out is [16 rows][16 outputs].
  void (*product)(const struct weft_matrix* matrix, const struct matmul* job, int64_t panel,
      int64_t row, int64_t rows, float* out);
  // Finishes one panel's tile: out and up are [16 rows][16 outputs].
  void (*finish_tile)(const struct matmul* job, const float* out, const float* up, int64_t row,
      int64_t rows, int64_t panel);
  // out[row][k] = scale * A x for the ranks k of first..end-1, whole RANKS, and up to ADAPTER_ROWS
  // rows.
  void (*project)(const struct low_rank* change, int64_t first, int64_t end,
      const float* const* x, int64_t rows, float* const* out);
  void (*rms_norm)(const float* x, const float* weight, double epsilon, int64_t n, float* out);
  void (*layer_norm)(
      const float* x, const float* weight, const float* bias, double epsilon, int64_t n,
      float* out);
  // Turns a head in place; cos and sin are [pairs].
  void (*rope)(float* head, const float* cos, const float* sin, int64_t pairs, int interleaved);
  // Writes one token's K and V of one head; `slot` is its place in the block.
  void (*kv_write)(const struct kv_shape* kv, uint8_t* at, int64_t slot, const float* k,
      const float* v);
  void (*attend)(const struct attention_tile* tile);
  // Merges a later split's (highest, total, out) of one query into an earlier one's.
  void (*merge)(float* highest, float* total, float* out, float highest2, float total2,
      const float* out2, int64_t n);
  // out = x / total
  void (*finish)(const float* x, float total, int64_t n, float* out);
  // One head of one text: rows of q, k, v are `stride` floats apart.
  void (*attend_text)(const float* q, const float* k, const float* v, int64_t stride, int64_t tokens,
      int64_t head_size, float scale, float* scratch, float* out, int64_t out_stride);
  int64_t (*argmax)(const float* x, int64_t n);
};

// The form of activations that a kind multiplies with.
static inline enum form form_of(const struct kernels* kernels, enum kind kind) {
  if (kind == KIND_BF16) return kernels->bf16_form;
  if (is_wide(kind)) return kernels->wide_form;
  return kind < KIND_F32 ? FORM_GROUPS : FORM_FLOATS;
}

extern const struct kernels weft_kernels_avx2;
extern const struct kernels weft_kernels_avx512;
extern const struct kernels weft_kernels_avx512_bf16;

// Matrix products by AMX tiles; the rest is AVX-512's.
void weft_amx_matmul(
    const struct matmul* job, int64_t first_panel, int64_t end_panel, int64_t first_row,
    int64_t end_row);

#endif
