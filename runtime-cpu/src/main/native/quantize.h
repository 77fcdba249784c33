// From rows of floats to panels of KIND_W8 and KIND_W4.
#ifndef QUANTIZE_H
#define QUANTIZE_H

#include "matrix.h"

// Fills a panel with zeros of its kind.
void start_panel(const struct weft_matrix* matrix, uint8_t* panel);

// Puts in row `r` (0..15) of a panel as int8: w = scale * (v - 128), scale = highest / 127.
void quantize_w8(const struct weft_matrix* matrix, const float* row, int64_t r, uint8_t* panel);

// Puts in row `r` by LiquidQuant (arXiv 2509.01229): Q = round(w / scale) in [-119, 119] with
// scale = highest / 119; then in groups of 64 inputs Q is about q * s + m, with m the group's
// lowest, s = round((highest - m) / 15) in [1, 16] and q in [0, 15]. a = 128 + m, so that
// q * s + a is an unsigned byte: w = scale * (q * s + a - 128).
void quantize_w4(const struct weft_matrix* matrix, const float* row, int64_t r, uint8_t* panel);

#endif
