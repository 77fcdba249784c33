// Low-rank adapters: W x + B (scale * (A x)), in float32 whatever W is held in.
#ifndef ADAPTER_H
#define ADAPTER_H

#include "matrix.h"
#include "weft.h"

// Ranks that are summed side by side; an adapter's rank is padded to a multiple with zeros.
#define RANKS 4
// Rows that are multiplied with A at once.
#define ADAPTER_ROWS 4

// What one matrix is changed by. A is [rank][stride], an input a column, padded to whole vectors;
// B lies in panels as a matrix does: [outputs / 16][rank][16].
struct low_rank {
  int64_t rank;  // padded; 0 where the adapter leaves the matrix alone
  int64_t inputs, stride;
  float scale;
  enum kind a_kind, b_kind;  // of floats
  uint8_t *a, *b;
};

struct weft_adapter {
  int64_t parts_count;
  int64_t rank;  // the largest of all parts
  struct low_rank parts[];  // [layers][ADAPTER_PARTS]
};

#define ADAPTER_PARTS (WEFT_DOWN + 1)

static inline int64_t float_bytes(enum kind kind) { return kind == KIND_F32 ? 4 : 2; }

#endif
