// Packed weights. A matrix is a run of panels; a panel holds 16 outputs over all inputs, so that a
// lane of a vector is an output and a row's sum runs over the inputs in one order, whatever the
// number of rows, the thread or the instruction set.
#ifndef MATRIX_H
#define MATRIX_H

#include <stddef.h>
#include <stdint.h>

#define PANEL 16
#define GROUP 32        // inputs that share an activation's scale
#define SUPER_GROUPS 8  // groups in a super-block of the K types

// How weights lie in a panel, per group of 32 inputs; value bytes of input quad j (inputs 4j..4j+3)
// are [16 outputs][4]. Nibbles: low ones are quads 0..3, high ones quads 4..7. Scales are f16
// [16 outputs], w = d * (v - zero) + m.
enum kind {
  KIND_Q4_D,   // nibbles[256] d               zero 8    Q4_0
  KIND_Q4_DM,  // nibbles[256] d m             zero 0    Q4_1
  KIND_Q4_K,   // super: d dmin, then 8 of (nibbles[256] scale[16] min[16])  Q4_K
  KIND_Q8_D,   // bytes[512] d                 zero 128  Q8_0, Q5_0
  KIND_Q8_DM,  // bytes[512] d m               zero 0    Q5_1
  KIND_Q8_K,   // as Q4_K with bytes[512]                Q5_K
  KIND_Q6_K,   // super: d, then 8 of (bytes[512] scale[2][16] signed)  zero 32; 16 inputs a scale
  KIND_W8,     // bytes[512]; after the last group scale f32[16]  zero 128, activations a row
  KIND_F32,    // f32[16] an input
  KIND_F16,    // f16[16] an input
  KIND_BF16,   // bf16[16] an input
  KIND_COUNT
};

// The form of activations that a kind multiplies with.
// The dense ones are oneDNN's, row-major over all rows: int8 (the rows form's values) followed by
// the rows' scales, or bf16.
enum form { FORM_GROUPS, FORM_ROWS, FORM_FLOATS, FORM_DENSE_INT8, FORM_DENSE_BF16, FORM_COUNT };

struct weft_matrix {
  enum kind kind;
  int64_t outputs, inputs;
  int64_t groups;       // of 32 inputs, the last one padded with zeros
  int64_t panels;       // of 16 outputs, the last one padded with zeros
  int64_t panel_bytes;  // a multiple of 64
  uint8_t* data;
  size_t mapped_bytes;  // 0: the data is borrowed
  const struct weft_onednn* onednn;  // or null
};

static inline enum form dense_form_of(enum kind kind) {
  return kind == KIND_W8 ? FORM_DENSE_INT8 : FORM_DENSE_BF16;
}

static inline enum form form_of(enum kind kind) {
  return kind == KIND_W8 ? FORM_ROWS : kind < KIND_W8 ? FORM_GROUPS : FORM_FLOATS;
}

static inline int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

#endif
