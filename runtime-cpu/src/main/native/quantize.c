#include "quantize.h"

#include <math.h>
#include <string.h>

#include "simd.h"

// Below this a row counts as zeros: its reciprocal would not be a number.
#define SMALLEST_HIGHEST 1e-30f
#define PROTECTED 119  // the most of level 1: room for level 2's error of up to 8
#define LIQUID_GROUP 64
// How far from the paper's parameters level 2 looks for better ones: s smaller by up to so much,
// and the lowest value higher by up to so many halves of s.
#define NARROWER 4
#define SHIFTS 4

void start_panel(const struct weft_matrix* matrix, uint8_t* panel) {
  memset(panel, matrix->kind == KIND_W8 ? 0x80 : 0, (size_t)matrix->panel_bytes);
  memset(panel + output_scale_offset(matrix->kind, matrix->groups), 0, sizeof(float) * PANEL);
}

static float highest_magnitude(const float* row, int64_t n) {
  float highest = 0;
  for (int64_t k = 0; k < n; k++) highest = fmaxf(highest, fabsf(row[k]));
  return highest;
}

void quantize_w8(const struct weft_matrix* matrix, const float* row, int64_t r, uint8_t* panel) {
  float highest = highest_magnitude(row, matrix->inputs);
  if (!(highest > SMALLEST_HIGHEST)) return;
  float* scales = (float*)(panel + output_scale_offset(KIND_W8, matrix->groups));
  scales[r] = highest / 127;
  for (int64_t k = 0; k < matrix->inputs; k++) {
    panel[k / 4 * 64 + r * 4 + k % 4] = (uint8_t)(lrintf(row[k] * (127 / highest)) + 128);
  }
}

// Q of level 1.
static int to_int8(float w, float scale) {
  long q = lrintf(w / scale);
  return (int)(q > PROTECTED ? PROTECTED : q < -PROTECTED ? -PROTECTED : q);
}

// Level 2's parameters, and the squared error that they leave: whole numbers, exact in float.
struct level {
  int s, m;
  float error;
};

// A group's int8 values; beyond its end zeros that do not count.
struct group {
  float values[LIQUID_GROUP], counts[LIQUID_GROUP];
};

static f32x16 nibbles(f32x16 values, int s, int m) {
  f32x16 q = f_mul(f_sub(values, f_set((float)m)), f_set(1 / (float)s));
  return f_min(f_max(f_from_i(i_round(q)), f_zero()), f_set(15));
}

static void try_level(const struct group* group, int s, int m, struct level* best) {
  f32x16 sum = f_zero();
  for (int k = 0; k < LIQUID_GROUP; k += LANES) {
    f32x16 values = f_load(group->values + k);
    f32x16 error = f_fma(nibbles(values, s, m), f_set((float)s), f_sub(f_set((float)m), values));
    error = f_mul(error, f_load(group->counts + k));
    sum = f_fma(error, error, sum);
  }
  float error = f_sum(sum);
  if (error < best->error) *best = (struct level){s, m, error};
}

// The paper's parameters, or the first of those around them that leave less.
static struct level find_level(const struct group* group, int lowest, int highest) {
  int range = highest - lowest, widest = (range + 14) / 15;
  int s = (int)lrintf((float)range / 15);
  struct level best = {.error = INFINITY};
  try_level(group, s < 1 ? 1 : s, lowest, &best);
  for (s = widest; s >= 1 && s >= widest - NARROWER; s--) {
    for (int shift = 0; shift <= SHIFTS && lowest + s * shift / 2 + 15 * s <= 127; shift++) {
      try_level(group, s, lowest + s * shift / 2, &best);
    }
  }
  return best;
}

static void put_group(
    const struct group* group, const struct level* level, int64_t count, int64_t r, uint8_t* at) {
  for (int64_t start = 0; start < count; start += LANES) {
    float q[LANES];
    f_store(q, nibbles(f_load(group->values + start), level->s, level->m));
    for (int64_t i = 0; i < LANES && start + i < count; i++) {
      int64_t k = start + i, quad = k % GROUP / 4;
      at[k / GROUP * 256 + quad % 4 * 64 + r * 4 + k % 4] |= (uint8_t)((int)q[i] << (quad < 4 ? 0 : 4));
    }
  }
}

void quantize_w4(const struct weft_matrix* matrix, const float* row, int64_t r, uint8_t* panel) {
  float highest = highest_magnitude(row, matrix->inputs);
  uint8_t* levels = panel + matrix->groups * 256;
  float scale = highest > SMALLEST_HIGHEST ? highest / PROTECTED : 0;
  ((float*)(panel + output_scale_offset(KIND_W4, matrix->groups)))[r] = scale;
  if (scale == 0) return;
  for (int64_t start = 0; start < matrix->inputs; start += LIQUID_GROUP, levels += 2 * PANEL) {
    int64_t left = matrix->inputs - start, count = left < LIQUID_GROUP ? left : LIQUID_GROUP;
    struct group group = {0};
    int lowest = PROTECTED, most = -PROTECTED;
    for (int64_t k = 0; k < count; k++) {
      int q = to_int8(row[start + k], scale);
      lowest = q < lowest ? q : lowest;
      most = q > most ? q : most;
      group.values[k] = (float)q;
      group.counts[k] = 1;
    }
    struct level level = find_level(&group, lowest, most);
    put_group(&group, &level, count, r, panel + start / GROUP * 256);
    levels[r] = (uint8_t)level.s;
    levels[PANEL + r] = (uint8_t)(128 + level.m);
  }
}
