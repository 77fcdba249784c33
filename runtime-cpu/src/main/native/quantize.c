#include "quantize.h"

#include <math.h>
#include <string.h>

// Below this a row counts as zeros: its reciprocal would not be a number.
#define SMALLEST_HIGHEST 1e-30f
#define PROTECTED 119  // the most of level 1: room for level 2's error of up to 8
#define LIQUID_GROUP 64

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

static void put_nibble(uint8_t* panel, int64_t r, int64_t k, int value) {
  int64_t group = k / GROUP, quad = k % GROUP / 4;
  uint8_t* at = panel + group * 256 + quad % 4 * 64 + r * 4 + k % 4;
  *at |= (uint8_t)(value << (quad < 4 ? 0 : 4));
}

void quantize_w4(const struct weft_matrix* matrix, const float* row, int64_t r, uint8_t* panel) {
  float highest = highest_magnitude(row, matrix->inputs);
  uint8_t* levels = panel + matrix->groups * 256;
  float scale = highest > SMALLEST_HIGHEST ? highest / PROTECTED : 0;
  ((float*)(panel + output_scale_offset(KIND_W4, matrix->groups)))[r] = scale;
  if (scale == 0) return;
  for (int64_t start = 0; start < matrix->inputs; start += LIQUID_GROUP, levels += 2 * PANEL) {
    int64_t left = matrix->inputs - start, count = left < LIQUID_GROUP ? left : LIQUID_GROUP;
    int values[LIQUID_GROUP], lowest = PROTECTED, most = -PROTECTED;
    for (int64_t k = 0; k < count; k++) {
      int q = values[k] = to_int8(row[start + k], scale);
      lowest = q < lowest ? q : lowest;
      most = q > most ? q : most;
    }
    int s = (int)lrintf((float)(most - lowest) / 15);
    s = s < 1 ? 1 : s > 16 ? 16 : s;
    for (int64_t k = 0; k < count; k++) {
      long q = lrintf((float)(values[k] - lowest) / (float)s);
      put_nibble(panel, r, start + k, (int)(q > 15 ? 15 : q));
    }
    levels[r] = (uint8_t)s;
    levels[PANEL + r] = (uint8_t)(128 + lowest);
  }
}
