// From rows of floats to panels of KIND_W8 and KIND_W4.
#ifndef QUANTIZE_H
#define QUANTIZE_H

#include "matrix.h"

// Fills a panel with zeros of its kind.
void start_panel(const struct weft_matrix* matrix, uint8_t* panel);

// Puts in row `r` (0..15) of a panel as int8: w = scale * (v - 128), scale = highest / 127.
void quantize_w8(const struct weft_matrix* matrix, const float* row, int64_t r, uint8_t* panel);

// Puts in row `r` by LiquidQuant (arXiv 2509.01229): Q = round(w / scale) in [-119, 119] with
// scale = highest / 119; then in groups of 64 inputs Q is about q * s + m, with s in [1, 16] and q
// in [0, 15]. a = 128 + m, so that q * s + a is an unsigned byte: w = scale * (q * s + a - 128).
// The paper takes the group's lowest for m and round((highest - lowest) / 15) for s. So does this,
// unless an s or m near by leaves a smaller squared error: measured with SmolLM2, the paper's cost
// 53 % of perplexity, these 31, round-to-nearest in groups of 64 with a scale and a minimum 38.
void quantize_w4(const struct weft_matrix* matrix, const float* row, int64_t r, uint8_t* panel);

#endif
