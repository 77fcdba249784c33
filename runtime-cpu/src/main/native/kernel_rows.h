// Kernels that work on one row of activations. Included by kernels.c.

// Sixteen floats from `at`, of which `count` are there; zeros for the others.
INLINE f32x16 f_load_part(const float* at, int64_t count) {
  if (count >= LANES) return f_load(at);
  float lanes[LANES] = {0};
  memcpy(lanes, at, sizeof(float) * (size_t)count);
  return f_load(lanes);
}

INLINE void f_store_part(float* at, f32x16 x, int64_t count) {
  if (count >= LANES) {
    f_store(at, x);
    return;
  }
  float lanes[LANES];
  f_store(lanes, x);
  memcpy(at, lanes, sizeof(float) * (size_t)count);
}

// Below this a group counts as zeros: its reciprocal would not be a number.
#define SMALLEST_SCALE 1e-30f

INLINE void quantize_group(
    f32x16 low, f32x16 high, float scale, float inverse, int8_t* values, float* scaled_sum,
    int32_t* negative_sum, int32_t* negative_first) {
  i32x16 q0 = i_round(f_mul(low, f_set(inverse)));
  i32x16 q1 = i_round(f_mul(high, f_set(inverse)));
  i_store_i8(values, q0);
  i_store_i8(values + LANES, q1);
  float first = f_sum(f_from_i(q0)), sum = first + f_sum(f_from_i(q1));
  *scaled_sum = sum * scale;
  *negative_sum = -(int32_t)sum;
  *negative_first = -(int32_t)first;
}

static float highest_magnitude(const float* x, int64_t n) {
  f32x16 highest = f_zero();
  for (int64_t i = 0; i < n; i += LANES) {
    highest = f_max(highest, f_abs(f_load_part(x + i, n - i)));
  }
  return f_highest(highest);
}

static void quantize_pairs(
    const float* x, int64_t inputs, int64_t groups, uint8_t* tile, int64_t rows, int64_t index) {
  for (int64_t g = 0; g < groups; g++, tile += PAIRS_ROW_BYTES * rows) {
    uint16_t* out = (uint16_t*)(tile + PAIRS_ROW_BYTES * index);
    for (int64_t k = 0; k < GROUP; k += LANES) {
      int64_t left = inputs - g * GROUP - k;
      f_store_bf16(out + k, x && left > 0 ? f_load_part(x + g * GROUP + k, left) : f_zero());
    }
  }
}

// Whole numbers up to WIDEST of one scale for the row, in the form of this instruction set.
static void quantize_wide(
    const float* x, int64_t inputs, int64_t groups, uint8_t* tile, int64_t rows,
    int64_t index) {
  float highest = x ? highest_magnitude(x, inputs) : 0;
  int zero = !(highest > SMALLEST_SCALE);
  f32x16 inverse = f_set(zero ? 0 : WIDEST / highest);
  i32x16 sum = i_set(0);
  uint8_t* at = tile;
  for (int64_t start = 0; start < groups * GROUP; start += 2 * GROUP, at += 2 * WIDE_ROW_BYTES * rows) {
    for (int k = 0; k < 2 * GROUP; k += LANES) {
      int64_t left = inputs - start - k;
      i32x16 t = zero || left <= 0 ? i_set(0) : i_round(f_mul(f_load_part(x + start + k, left), inverse));
      sum = i_add(sum, t);
#if defined(__AVX512VNNI__)
      i32x16 high = i_shift_right(i_add(t, i_set(64)), 7);
      int8_t* digits = (int8_t*)at + 2 * GROUP * index + k;
      i_store_i8(digits, high);
      i_store_i8(digits + 2 * GROUP * rows, i_sub(t, i_shift_left(high, 7)));
#else
      i_store_split_quads((int16_t*)at + GROUP * (k / GROUP * rows + index) + k % GROUP, t);
#endif
    }
  }
  int32_t lanes[LANES], total = 0;
  i_store(lanes, sum);
  for (int i = 0; i < LANES; i++) total += lanes[i];
  ((float*)at)[index] = zero ? 0 : highest / WIDEST;
  ((int32_t*)at)[rows + index] = total;
}

static void quantize(
    enum form form, const float* x, int64_t inputs, int64_t groups, uint8_t* tile, int64_t rows,
    int64_t index) {
  if (form == FORM_FLOATS) {
    float* out = (float*)tile + index;
    for (int64_t k = 0; k < inputs; k++) out[k * rows] = x ? x[k] : 0;
    return;
  }
  if (form == FORM_PAIRS) {
    quantize_pairs(x, inputs, groups, tile, rows, index);
    return;
  }
  if (form == FORM_HALVES || form == FORM_DIGITS) {
    quantize_wide(x, inputs, groups, tile, rows, index);
    return;
  }
  for (int64_t g = 0; g < groups; g++, tile += QUANTIZED_ROW_BYTES * rows) {
    f32x16 low = f_zero(), high = f_zero();
    if (x) {
      int64_t left = inputs - g * GROUP;
      low = f_load_part(x + g * GROUP, left);
      if (left > LANES) high = f_load_part(x + g * GROUP + LANES, left - LANES);
    }
    float highest = f_highest(f_max(f_abs(low), f_abs(high)));
    int zero = !(highest > SMALLEST_SCALE);
    float scale = zero ? 0 : highest / 127;
    float inverse = zero ? 0 : 127 / highest;
    float* scales = (float*)(tile + 32 * rows);
    scales[index] = scale;
    int32_t* sums = (int32_t*)scales + 2 * rows + index;
    quantize_group(low, high, scale, inverse, (int8_t*)tile + 32 * index, &scales[rows + index],
        sums, sums + rows);
  }
}

static void rms_norm(const float* x, const float* weight, double epsilon, int64_t n, float* out) {
  f32x16 squares = f_zero();
  for (int64_t i = 0; i < n; i += LANES) {
    f32x16 v = f_load_part(x + i, n - i);
    squares = f_fma(v, v, squares);
  }
  float scale = (float)(1 / __builtin_sqrt((double)f_sum(squares) / (double)n + epsilon));
  for (int64_t i = 0; i < n; i += LANES) {
    f32x16 v = f_mul(f_load_part(x + i, n - i), f_set(scale));
    f_store_part(out + i, f_mul(v, f_load_part(weight + i, n - i)), n - i);
  }
}

static void layer_norm(
    const float* x, const float* weight, const float* bias, double epsilon, int64_t n, float* out) {
  f32x16 sum = f_zero(), squares = f_zero();
  for (int64_t i = 0; i < n; i += LANES) sum = f_add(sum, f_load_part(x + i, n - i));
  f32x16 mean = f_set((float)((double)f_sum(sum) / (double)n));
  for (int64_t i = 0; i < n; i += LANES) {
    f32x16 v = f_within(f_sub(f_load_part(x + i, n - i), mean), 0, n - i, f_zero());
    squares = f_fma(v, v, squares);
  }
  float scale = (float)(1 / __builtin_sqrt((double)f_sum(squares) / (double)n + epsilon));
  for (int64_t i = 0; i < n; i += LANES) {
    f32x16 v = f_mul(f_sub(f_load_part(x + i, n - i), mean), f_set(scale));
    v = f_fma(v, f_load_part(weight + i, n - i), f_load_part(bias + i, n - i));
    f_store_part(out + i, v, n - i);
  }
}

static void rope(
    float* head, const float* cosine, const float* sine, int64_t pairs, int interleaved) {
  if (interleaved) {
    for (int64_t i = 0; i < pairs; i++) {
      float x = head[2 * i], y = head[2 * i + 1];
      head[2 * i] = x * cosine[i] - y * sine[i];
      head[2 * i + 1] = x * sine[i] + y * cosine[i];
    }
    return;
  }
  for (int64_t i = 0; i < pairs; i += LANES) {
    int64_t left = pairs - i;
    f32x16 x = f_load_part(head + i, left), y = f_load_part(head + pairs + i, left);
    f32x16 c = f_load_part(cosine + i, left), s = f_load_part(sine + i, left);
    f_store_part(head + i, f_sub(f_mul(x, c), f_mul(y, s)), left);
    f_store_part(head + pairs + i, f_add(f_mul(x, s), f_mul(y, c)), left);
  }
}

INLINE f32x16 f_clamp_f16(f32x16 x) { return f_min(f_max(x, f_set(-65504)), f_set(65504)); }

// int8 by a scale that f16 holds, which goes to `scale`.
INLINE f32x16 kv_inverse(const float* x, int64_t n, uint16_t* scale) {
  float highest = highest_magnitude(x, n) / 127;
  *scale = _cvtss_sh(highest < 65504 ? highest : 65504, _MM_FROUND_TO_NEAREST_INT);
  float held = _cvtsh_ss(*scale);
  return f_set(held > 0 ? 1 / held : 0);
}

INLINE i32x16 kv_round(const float* x, int64_t count, f32x16 inverse) {
  f32x16 scaled = f_mul(f_load_part(x, count), inverse);
  return i_round(f_min(f_max(scaled, f_set(-127)), f_set(127)));
}

static void kv_write_int8(
    const struct kv_shape* kv, uint8_t* at, int64_t slot, const float* k, const float* v) {
  uint16_t* scales = (uint16_t*)at + slot;
  int8_t* keys = (int8_t*)at + kv_scale_bytes(kv) + slot;
  int8_t* values = (int8_t*)at + kv_scale_bytes(kv) + kv->head_size * kv->block_tokens +
      slot * kv->padded_head_size;
  f32x16 k_inverse = kv_inverse(k, kv->head_size, scales);
  f32x16 v_inverse = kv_inverse(v, kv->head_size, scales + kv->block_tokens);
  for (int64_t d = 0; d < kv->head_size; d += LANES) {
    int64_t left = kv->head_size - d;
    int8_t lanes[LANES];
    i_store_i8(lanes, kv_round(k + d, left, k_inverse));
    for (int64_t i = 0; i < LANES && i < left; i++) keys[(d + i) * kv->block_tokens] = lanes[i];
    i_store_i8(values + d, kv_round(v + d, left, v_inverse));
  }
}

static void kv_write(
    const struct kv_shape* kv, uint8_t* at, int64_t slot, const float* k, const float* v) {
  if (kv->int8) {
    kv_write_int8(kv, at, slot, k, v);
    return;
  }
  uint16_t* keys = (uint16_t*)at + slot;
  uint16_t* values =
      (uint16_t*)at + kv->head_size * kv->block_tokens + slot * kv->padded_head_size;
  for (int64_t d = 0; d < kv->head_size; d += LANES) {
    int64_t left = kv->head_size - d;
    uint16_t lanes[LANES];
    f_store_f16(lanes, f_clamp_f16(f_load_part(k + d, left)));
    for (int64_t i = 0; i < LANES && i < left; i++) keys[(d + i) * kv->block_tokens] = lanes[i];
    f_store_f16(values + d, f_clamp_f16(f_load_part(v + d, left)));
  }
}

static int64_t argmax(const float* x, int64_t n) {
  f32x16 highest = f_set(-__builtin_inff());
  int64_t whole = n / LANES * LANES;
  for (int64_t i = 0; i < whole; i += LANES) highest = f_max(highest, f_load(x + i));
  float best = f_highest(highest);
  for (int64_t i = whole; i < n; i++) best = x[i] > best ? x[i] : best;
  for (int64_t i = 0; i < n; i++) {
    if (x[i] == best) return i;
  }
  return 0;
}
