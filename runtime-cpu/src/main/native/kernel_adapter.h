// Low-rank adapters. Included by kernels.c.

INLINE f32x16 load_elements(enum kind kind, const uint8_t* at, int64_t index) {
  return kind == KIND_F32   ? f_load((const float*)at + index)
         : kind == KIND_F16 ? f_load_f16((const uint16_t*)at + index)
                            : f_load_bf16((const uint16_t*)at + index);
}

// Each rank and row has a sum of its own, over the inputs in one order.
INLINE void project_ranks(
    enum kind kind, const struct low_rank* change, int64_t first, const float* const* x, int rows,
    float* const* out) {
  f32x16 acc[RANKS][ADAPTER_ROWS];
  int64_t row_bytes = change->stride * float_bytes(kind);
  const uint8_t* a = change->a + first * row_bytes;
#pragma GCC unroll 4
  for (int k = 0; k < RANKS; k++) {
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) acc[k][r] = f_zero();
  }
  for (int64_t i = 0; i < change->inputs; i += LANES) {
    f32x16 values[ADAPTER_ROWS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) values[r] = f_load_part(x[r] + i, change->inputs - i);
#pragma GCC unroll 4
    for (int k = 0; k < RANKS; k++) {
      f32x16 weights = load_elements(kind, a + k * row_bytes, i);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) acc[k][r] = f_fma(weights, values[r], acc[k][r]);
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < RANKS; k++) {
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) out[r][first + k] = f_sum(acc[k][r]) * change->scale;
  }
}

#define PROJECT(kind)                                                                         \
  for (int64_t k = first; k < end; k += RANKS) {                                              \
    if (rows == ADAPTER_ROWS) project_ranks(kind, change, k, x, ADAPTER_ROWS, out);           \
    else for (int64_t r = 0; r < rows; r++) project_ranks(kind, change, k, x + r, 1, out + r); \
  }

static void project(
    const struct low_rank* change, int64_t first, int64_t end, const float* const* x, int64_t rows,
    float* const* out) {
  switch (change->a_kind) {
    case KIND_F32: PROJECT(KIND_F32); break;
    case KIND_F16: PROJECT(KIND_F16); break;
    default: PROJECT(KIND_BF16);
  }
}

INLINE f32x16 low_rank_sum(
    enum kind kind, const struct low_rank* change, int64_t panel, const float* inner) {
  f32x16 sum[RANKS];
  const uint8_t* b = change->b + panel * change->rank * PANEL * float_bytes(kind);
#pragma GCC unroll 4
  for (int k = 0; k < RANKS; k++) sum[k] = f_zero();
  for (int64_t k = 0; k < change->rank; k += RANKS) {
#pragma GCC unroll 4
    for (int i = 0; i < RANKS; i++) {
      sum[i] = f_fma(load_elements(kind, b, PANEL * (k + i)), f_set(inner[k + i]), sum[i]);
    }
  }
  return f_add(f_add(sum[0], sum[1]), f_add(sum[2], sum[3]));
}

// x, a panel's outputs of a row, and what the row's adapter adds to them; `part` of the adapter.
INLINE f32x16 add_low_rank(
    const struct adapted* adapted, int64_t part, int64_t row, int64_t panel, f32x16 x) {
  const struct weft_adapter* adapter = adapted->adapters[row];
  if (!adapter) return x;
  const struct low_rank* change = &adapter->parts[adapted->first_part + part];
  if (change->rank == 0) return x;
  const float* inner = adapted->inner + row * adapted->stride + part * adapted->rank;
  switch (change->b_kind) {
    case KIND_F32: return f_add(x, low_rank_sum(KIND_F32, change, panel, inner));
    case KIND_F16: return f_add(x, low_rank_sum(KIND_F16, change, panel, inner));
    default: return f_add(x, low_rank_sum(KIND_BF16, change, panel, inner));
  }
}
