// Attention over splits of keys, sixteen keys a vector. Included by kernels.c.
//
// A query's result over a split is (highest score, sum of e^(score - highest), weighted sum of
// values); splits merge in order. Split and vector boundaries lie at fixed positions of the
// sequence, so that the result does not depend on which queries run together.

#define SPLIT_KEYS 256

// So few queries do too little with a key to hide its way from memory.
#define FEW_QUERIES 8

enum element { ELEMENT_F32, ELEMENT_F16, ELEMENT_I8 };

// One vector of keys: k is [head_size][k_stride], v is [keys][v_stride].
struct key_vector {
  const uint8_t *k, *v;
  const uint16_t *k_scales, *v_scales;  // f16, one a key; of int8 only
  int64_t position;  // of lane 0
  int64_t count;     // lanes that hold keys
  const uint8_t* ahead;  // what to ask memory for before it is read, or null
};

struct key_split {
  int64_t vectors;
  struct key_vector vector[SPLIT_KEYS];
  int64_t k_stride, v_stride;
  int64_t head_size, padded_head_size;
  int64_t ahead_bytes;
};

// Blocks lie anywhere: the hardware's own prefetch does not find the next one.
INLINE void ask_for(const uint8_t* at, int64_t bytes) {
  if (!at) return;
  for (int64_t i = 0; i < bytes; i += 64) _mm_prefetch((const char*)at + i, _MM_HINT_T0);
}

// Not an initialiser: that would clear all vectors.
static void describe(
    struct key_split* split, int64_t head_size, int64_t k_stride, int64_t padded_head_size) {
  split->vectors = 0;
  split->k_stride = k_stride;
  split->v_stride = split->padded_head_size = padded_head_size;
  split->head_size = head_size;
}

INLINE f32x16 load_kv(enum element element, const uint8_t* at, int64_t index) {
  switch (element) {
    case ELEMENT_F16: return f_load_f16((const uint16_t*)at + index);
    case ELEMENT_I8: return f_load_i8(at + index);
    default: return f_load((const float*)at + index);
  }
}

// scores[row][lane] = q[row] . k[lane] of rows first..first+count-1.
INLINE void score_part(
    enum element element, int rows, int first, int count, const uint8_t* k, int64_t stride, int64_t head_size,
    const float* q, float* scores) {
  f32x16 acc[TILE_ROWS];
#pragma GCC unroll 16
  for (int r = 0; r < count; r++) acc[r] = f_zero();
  q += first;
  for (int64_t d = 0; d < head_size; d++) {
    f32x16 keys = load_kv(element, k, d * stride);
#pragma GCC unroll 16
    for (int r = 0; r < count; r++) acc[r] = f_fma(keys, f_set(q[r]), acc[r]);
    q += rows;
  }
#pragma GCC unroll 16
  for (int r = 0; r < count; r++) f_store(scores + LANES * (first + r), acc[r]);
}

// out[row][dimension..] += weights[row][key] * v[key] of rows first..first+count-1.
INLINE void value_part(
    enum element element, int rows, int first, int count, int wide, const struct key_split* split,
    int64_t dimension, const float* weights, float* out) {
  f32x16 acc[4 * 4];
#pragma GCC unroll 16
  for (int i = 0; i < count * wide; i++) acc[i] = f_zero();
  for (int64_t n = 0; n < split->vectors; n++) {
    const struct key_vector* keys = &split->vector[n];
    const float* row_weights = weights + (n * rows + first) * LANES;
    for (int64_t lane = 0; lane < keys->count; lane++) {
      f32x16 values[4];
#pragma GCC unroll 4
      for (int w = 0; w < wide; w++) {
        values[w] = load_kv(element, keys->v, lane * split->v_stride + dimension + w * LANES);
      }
#pragma GCC unroll 4
      for (int r = 0; r < count; r++) {
        f32x16 weight = f_set(row_weights[r * LANES + lane]);
#pragma GCC unroll 4
        for (int w = 0; w < wide; w++) {
          acc[r * wide + w] = f_fma(values[w], weight, acc[r * wide + w]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < count; r++) {
#pragma GCC unroll 4
    for (int w = 0; w < wide; w++) {
      f_store(out + (first + r) * split->padded_head_size + dimension + w * LANES,
          acc[r * wide + w]);
    }
  }
}

// Rows at once in value_part: at most 4 of 4 vectors.
#define VALUE_PART(rows) ((rows) <= 4 ? (rows) : (rows) % 4 == 0 ? 4 : 3)

#define ATTENTION_PARTS(name, element, rows)                                                      \
  static void scores_##name##_##rows(                                                          \
      const struct key_split* split, const struct key_vector* keys, const float* q,            \
      float* scores) {                                                                         \
    for (int first = 0; first < rows; first += PART(rows)) {                                   \
      score_part(element, rows, first, PART(rows), keys->k, split->k_stride, split->head_size, q, \
          scores);                                                                             \
    }                                                                                          \
  }                                                                                            \
  static void values_##name##_##rows(                                                          \
      const struct key_split* split, const float* weights, float* out) {                       \
    int64_t dimensions = split->padded_head_size;                                              \
    for (int first = 0; first < rows; first += VALUE_PART(rows)) {                             \
      int64_t d = 0;                                                                           \
      for (; d + 4 * LANES <= dimensions; d += 4 * LANES) {                                    \
        value_part(element, rows, first, VALUE_PART(rows), 4, split, d, weights, out);            \
      }                                                                                        \
      for (; d < dimensions; d += LANES) {                                                     \
        value_part(element, rows, first, VALUE_PART(rows), 1, split, d, weights, out);            \
      }                                                                                        \
    }                                                                                          \
  }

#define EACH_ATTENTION(name, element)                                                          \
  ATTENTION_PARTS(name, element, 1) ATTENTION_PARTS(name, element, 2) ATTENTION_PARTS(name, element, 3) \
  ATTENTION_PARTS(name, element, 4) ATTENTION_PARTS(name, element, 6) ATTENTION_PARTS(name, element, 8) \
  ATTENTION_PARTS(name, element, 12) ATTENTION_PARTS(name, element, 16)

EACH_ATTENTION(half, ELEMENT_F16)
EACH_ATTENTION(byte, ELEMENT_I8)
EACH_ATTENTION(single, ELEMENT_F32)

struct attention_parts {
  void (*scores)(const struct key_split*, const struct key_vector*, const float* q, float* scores);
  void (*values)(const struct key_split*, const float* weights, float* out);
};

#define PARTS_ENTRY(name, rows) [rows] = {scores_##name##_##rows, values_##name##_##rows}
#define PARTS_TABLE(name)                                                    \
  {PARTS_ENTRY(name, 1), PARTS_ENTRY(name, 2), PARTS_ENTRY(name, 3),         \
   PARTS_ENTRY(name, 4), PARTS_ENTRY(name, 6), PARTS_ENTRY(name, 8),         \
   PARTS_ENTRY(name, 12), PARTS_ENTRY(name, 16)}

static const struct attention_parts HALF_PARTS[TILE_ROWS + 1] = PARTS_TABLE(half);
static const struct attention_parts BYTE_PARTS[TILE_ROWS + 1] = PARTS_TABLE(byte);
static const struct attention_parts SINGLE_PARTS[TILE_ROWS + 1] = PARTS_TABLE(single);

static void merge(
    float* highest, float* total, float* out, float highest2, float total2, const float* out2,
    int64_t n) {
  if (total2 == 0) return;
  float most = *highest > highest2 ? *highest : highest2;
  float factors[LANES] = {*highest - most, highest2 - most};
  f_store(factors, f_exp(f_load(factors)));
  f32x16 first = f_set(factors[0]), second = f_set(factors[1]);
  for (int64_t i = 0; i < n; i += LANES) {
    f_store(out + i, f_fma(f_load(out2 + i), second, f_mul(f_load(out + i), first)));
  }
  *total = *total * factors[0] + total2 * factors[1];
  *highest = most;
}

// Turns a query's scores into weights, in place; false when it may see no key of the split.
static int soften(
    const struct key_split* split, int64_t rows, int64_t query, int64_t first_key,
    int64_t last_key, float* scores, float* highest, float* total) {
  f32x16 lowest = f_set(-__builtin_inff()), most = lowest, sum = f_zero();
  for (int64_t n = 0; n < split->vectors; n++) {
    const struct key_vector* keys = &split->vector[n];
    int64_t until = last_key + 1 - keys->position;
    float* lanes = scores + (n * rows + query) * LANES;
    f32x16 x = f_load(lanes);
    if (keys->k_scales) x = f_mul(x, f_load_f16(keys->k_scales));
    x = f_within(x, first_key - keys->position,
        until < keys->count ? until : keys->count, lowest);
    f_store(lanes, x);
    most = f_max(most, x);
  }
  *highest = f_highest(most);
  int any = *highest > -__builtin_inff();
  for (int64_t n = 0; n < split->vectors; n++) {
    float* lanes = scores + (n * rows + query) * LANES;
    f32x16 weights = any ? f_exp(f_sub(f_load(lanes), f_set(*highest))) : f_zero();
    sum = f_add(sum, weights);
    const uint16_t* scales = split->vector[n].v_scales;
    f_store(lanes, scales ? f_mul(weights, f_load_f16(scales)) : weights);
  }
  *total = f_sum(sum);
  return any;
}

// Adds one split to the running results of a tile of queries.
static void attend_split(
    const struct attention_parts* parts, const struct key_split* split, int64_t queries,
    const float* q, const int64_t* first_key, const int64_t* last_key, float* scores,
    float* highest, float* total, float* out) {
  int64_t rows = tile_rows(queries);
  float split_highest[TILE_ROWS], split_total[TILE_ROWS];
  float split_out[TILE_ROWS * split->padded_head_size] __attribute__((aligned(64)));
  for (int64_t n = 0; n < split->vectors; n++) {
    if (n + 1 < split->vectors) ask_for(split->vector[n + 1].ahead, split->ahead_bytes);
    parts[rows].scores(split, &split->vector[n], q, scores + n * rows * LANES);
  }
  for (int64_t i = 0; i < queries; i++) {
    if (!soften(split, rows, i, first_key[i], last_key[i], scores, &split_highest[i],
            &split_total[i])) {
      split_total[i] = 0;
    }
  }
  parts[rows].values(split, scores, split_out);
  for (int64_t i = 0; i < queries; i++) {
    int64_t at = i * split->padded_head_size;
    merge(&highest[i], &total[i], out + at, split_highest[i], split_total[i], split_out + at,
        split->padded_head_size);
  }
}

static void attend(const struct attention_tile* tile) {
  const struct kv_shape* kv = tile->kv;
  struct key_split split;
  int64_t element = kv->int8 ? 1 : 2;
  int few = tile->queries <= FEW_QUERIES;
  describe(&split, kv->head_size, kv->block_tokens, kv->padded_head_size);
  split.ahead_bytes = kv_head_bytes(kv);
  int64_t first = tile->first_key[0], last = tile->last_key[0];
  for (int64_t i = 1; i < tile->queries; i++) {
    if (tile->first_key[i] < first) first = tile->first_key[i];
    if (tile->last_key[i] > last) last = tile->last_key[i];
  }
  for (int64_t b = tile->first_block; b < tile->end_block; b++) {
    const uint8_t* at = kv_address(kv, tile->blocks[b], tile->layer, tile->kv_head);
    const uint16_t* scales = kv->int8 ? (const uint16_t*)at : NULL;
    const uint8_t* k = at + kv_scale_bytes(kv);
    const uint8_t* v = k + element * kv->head_size * kv->block_tokens;
    for (int64_t slot = 0; slot < kv->block_tokens; slot += LANES) {
      int64_t position = b * kv->block_tokens + slot;
      int64_t count = kv->block_tokens - slot < LANES ? kv->block_tokens - slot : LANES;
      if (position + count > last + 1) count = last + 1 - position;
      if (count <= 0 || position + count <= first) continue;
      split.vector[split.vectors++] = (struct key_vector){
          .k = k + element * slot, .v = v + element * slot * kv->padded_head_size,
          .k_scales = scales ? scales + slot : NULL,
          .v_scales = scales ? scales + kv->block_tokens + slot : NULL,
          .position = position, .count = count, .ahead = few && slot == 0 ? at : NULL};
    }
  }
  if (split.vectors > 0) {
    attend_split(kv->int8 ? BYTE_PARTS : HALF_PARTS, &split, tile->queries, tile->q, tile->first_key, tile->last_key,
        tile->scores, tile->highest, tile->total, tile->out);
  }
}

static void finish(const float* x, float total, int64_t n, float* out) {
  f32x16 divisor = f_set(total);
  for (int64_t i = 0; i < n; i += LANES) {
    f_store_part(out + i, f_div(f_load(x + i), divisor), n - i);
  }
}

// Scratch: keys transposed [head_size][padded tokens], values [tokens][padded head size], scores.
static void attend_text(
    const float* q, const float* k, const float* v, int64_t stride, int64_t tokens,
    int64_t head_size, float scale, float* scratch, float* out,
    int64_t out_stride) {
  int64_t padded_tokens = divide_up(tokens, LANES) * LANES;
  int64_t padded_size = divide_up(head_size, LANES) * LANES;
  float* keys = scratch;
  float* values = keys + head_size * padded_tokens;
  float* scores = values + tokens * padded_size;
  for (int64_t t = 0; t < padded_tokens; t++) {
    for (int64_t d = 0; d < head_size; d++) {
      keys[d * padded_tokens + t] = t < tokens ? k[t * stride + d] : 0;
    }
  }
  for (int64_t t = 0; t < tokens; t++) {
    for (int64_t d = 0; d < padded_size; d++) {
      values[t * padded_size + d] = d < head_size ? v[t * stride + d] : 0;
    }
  }
  struct key_split split;
  describe(&split, head_size, padded_tokens, padded_size);
  int64_t first_key[TILE_ROWS] = {0}, last_key[TILE_ROWS];
  float tile_q[TILE_ROWS * head_size] __attribute__((aligned(64)));
  float tile_out[TILE_ROWS * padded_size] __attribute__((aligned(64)));
  for (int i = 0; i < TILE_ROWS; i++) last_key[i] = tokens - 1;
  for (int64_t row = 0; row < tokens; row += TILE_ROWS) {
    int64_t queries = tokens - row < TILE_ROWS ? tokens - row : TILE_ROWS;
    int64_t rows = tile_rows(queries);
    float highest[TILE_ROWS], total[TILE_ROWS] = {0};
    for (int i = 0; i < TILE_ROWS; i++) highest[i] = -__builtin_inff();
    memset(tile_out, 0, sizeof(tile_out));
    for (int64_t d = 0; d < head_size; d++) {
      for (int64_t i = 0; i < rows; i++) {
        tile_q[d * rows + i] = i < queries ? q[(row + i) * stride + d] * scale : 0;
      }
    }
    for (int64_t start = 0; start < tokens; start += SPLIT_KEYS) {
      split.vectors = 0;
      for (int64_t t = start; t < tokens && t < start + SPLIT_KEYS; t += LANES) {
        split.vector[split.vectors++] = (struct key_vector){.k = (const uint8_t*)(keys + t),
            .v = (const uint8_t*)(values + t * padded_size), .position = t,
            .count = tokens - t < LANES ? tokens - t : LANES};
      }
      attend_split(SINGLE_PARTS, &split, queries, tile_q, first_key, last_key, scores, highest,
          total, tile_out);
    }
    for (int64_t i = 0; i < queries; i++) {
      finish(tile_out + i * padded_size, total[i], head_size, out + (row + i) * out_stride);
    }
  }
}
