// What the AMX kernels share: amx.c and amx_digits.c.
#ifndef AMX_H
#define AMX_H

#include <immintrin.h>

#include "kernels.h"

// What was stored is there before tile instructions read it: the compiler does not know that they
// read memory.
#define PUBLISH() __asm__ volatile("" ::: "memory")

struct tile_config {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

// The tiles' shape of the moment; zeros: none.
struct tile_shape {
  int rows, bytes;
};

// Sums in tiles 0 to 3, activations in 4 and 5, weights in 6 and 7: `rows` rows of activations, of
// `bytes` each, meet weights of bytes / 4 rows. What tiles held is lost.
static inline void shape_tiles(struct tile_shape* shape, int rows, int bytes) {
  if (shape->rows == rows && shape->bytes == bytes) return;
  *shape = (struct tile_shape){rows, bytes};
  struct tile_config config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.rows[i] = (uint8_t)(i < 6 ? rows : bytes / 4);
    config.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? bytes : 64);
  }
  _tile_loadconfig(&config);
}

// Some rows of a product: their tiles, the last of which may have fewer than 16.
struct rows {
  const uint8_t* x;  // of the first tile
  int64_t count, all;  // rows, and rows from the first to the last of the product
};

static inline int64_t rows_of_tile(const struct rows* rows, int64_t row) {
  int64_t left = rows->all - row;
  return tile_rows(left < TILE_ROWS ? left : TILE_ROWS);
}

// Sums of one panel, or of two with as many groups, of KIND_W8 or KIND_W4: each [rows][16].
void weft_amx_digits(
    const struct weft_matrix* const* matrices, const uint8_t* const* panels, int count,
    const struct rows* rows, struct tile_shape* shape, float* const* sums);

#endif
