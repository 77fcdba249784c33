// Products of weights with one scale an output by AMX tiles, of activations in two digits.
//
// A sum of 16 rows, 16 outputs and all inputs stays in a tile, one for each digit: no scale comes
// between. Both are exact, and so is 128 * high + low, which is rounded once: the bits are those of
// kernel_wide.h. Panels of KIND_W8 are tiles as they lie, [quads][16][4]; those of KIND_W4 are
// unpacked to the same, once for all rows of the call.
#include "amx.h"

#include "kernel_group.h"
#include "kernel_wide.h"

#define DIGIT_CHUNK 8      // pairs of groups at once: 16 KiB of two panels, for the first-level cache
#define PAIR_BYTES 1024    // weights of a pair of groups, as bytes
// Pairs ahead that weights are asked for: at 28 ns each, as long as memory takes to answer.
#define AHEAD_PAIRS 8

// int32 sums of the digits of up to two panels.
struct digit_sums {
  int32_t high[2][BLOCK_ROWS * PANEL], low[2][BLOCK_ROWS * PANEL];
};

struct unpacked {
  uint8_t values[2][DIGIT_CHUNK * PAIR_BYTES];
};

static void unpack(const uint8_t* panel, int64_t groups, int64_t first, int64_t end, uint8_t* out) {
  struct reader reader = read_panel(KIND_W4, panel, groups);
  reader.at += first * value_bytes(KIND_W4);
  reader.next = first;
  for (int64_t g = first; g < end; g++, out += PAIR_BYTES / 2) {
    struct group group = next_group(KIND_W4, &reader, ASK_NEAR, AHEAD);
    for (int j = 0; j < 8; j++) i_store(out + 64 * j, group.quads[j]);
  }
  PUBLISH();
}

INLINE void ask_for_pair(const uint8_t* at) {
#pragma GCC unroll 16
  for (int i = 0; i < PAIR_BYTES; i += 64) _mm_prefetch((const char*)at + i, _MM_HINT_T0);
}

// A chunk of one or two panels.
struct chunk {
  const uint8_t* panels[2];
  int count;
  int64_t pairs;
  int64_t skip;  // bytes from the end of this chunk to what comes after it
  int anew;      // the first of its panels
};

// Adds a chunk's part to a tile of rows, at x; the first tile of a call asks for weights ahead.
INLINE void add_pairs(
    const struct chunk* chunk, const uint8_t* x, int64_t rows, int ask, int panels) {
  const uint8_t *b0 = chunk->panels[0], *b1 = chunk->panels[panels - 1];
  for (int64_t p = 0; p < chunk->pairs; p++, x += 128 * rows, b0 += PAIR_BYTES, b1 += PAIR_BYTES) {
    if (ask) {
      int64_t ahead =
          AHEAD_PAIRS * PAIR_BYTES + (p + AHEAD_PAIRS < chunk->pairs ? 0 : chunk->skip);
      ask_for_pair(b0 + ahead);
      if (panels == 2) ask_for_pair(b1 + ahead);
    }
    _tile_loadd(4, x, 64);
    _tile_loadd(6, b0, 64);
    _tile_dpbsud(0, 4, 6);
    _tile_loadd(5, x + 64 * rows, 64);
    _tile_dpbsud(1, 5, 6);
    if (panels == 2) {
      _tile_loadd(7, b1, 64);
      _tile_dpbsud(2, 4, 7);
      _tile_dpbsud(3, 5, 7);
    }
  }
}

static void add_chunk(
    const struct chunk* chunk, const uint8_t* x, int64_t rows, int64_t row,
    struct digit_sums* sums) {
  int64_t at = row * PANEL;
  if (chunk->anew) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums->high[0] + at, 64);
    _tile_loadd(1, sums->low[0] + at, 64);
    if (chunk->count == 2) _tile_loadd(2, sums->high[1] + at, 64);
    if (chunk->count == 2) _tile_loadd(3, sums->low[1] + at, 64);
  }
  if (chunk->count == 2) {
    add_pairs(chunk, x, rows, row == 0, 2);
  } else {
    add_pairs(chunk, x, rows, row == 0, 1);
  }
  _tile_stored(0, sums->high[0] + at, 64);
  _tile_stored(1, sums->low[0] + at, 64);
  if (chunk->count == 2) _tile_stored(2, sums->high[1] + at, 64);
  if (chunk->count == 2) _tile_stored(3, sums->low[1] + at, 64);
}

// 128 * high + low - 128 * (the sum of the row), the weights' zero being 128; then the scales.
static void finish(
    const int32_t* high, const int32_t* low, const struct rows* rows, int64_t groups, f32x16 scale,
    float* out) {
  int64_t bytes = row_bytes(FORM_DIGITS, groups);
  for (int64_t row = 0; row < rows->count; row += TILE_ROWS) {
    int64_t tile = rows_of_tile(rows, row);
    int64_t count = rows->count - row < TILE_ROWS ? rows->count - row : TILE_ROWS;
    struct row_tails tails = row_tails(rows->x + row * bytes, groups, tile);
    for (int64_t r = 0; r < count; r++) {
      int64_t at = (row + r) * PANEL;
      f32x16 total = f_from_digits(i_load(high + at), i_load(low + at), 128.0 * tails.sum[r]);
      f_store(out + at, f_mul(f_mul(total, f_set(tails.scale[r])), scale));
    }
  }
}

void weft_amx_digits(
    const struct weft_matrix* const* matrices, const uint8_t* const* panels, int count,
    const struct rows* rows, struct tile_shape* shape, float* const* sums) {
  struct digit_sums digits __attribute__((aligned(64)));
  struct unpacked unpacked __attribute__((aligned(64)));
  int64_t groups = matrices[0]->groups, pairs = divide_up(groups, 2);
  int64_t bytes = row_bytes(FORM_DIGITS, groups);
  // Panels that this place will have next.
  int64_t next = count == 2 && matrices[0] == matrices[1] ? 2 : 1;
  for (int64_t first = 0; first < pairs; first += DIGIT_CHUNK) {
    int64_t left = pairs - first;
    struct chunk chunk = {.count = count, .anew = first == 0,
        .pairs = left < DIGIT_CHUNK ? left : DIGIT_CHUNK,
        .skip = left > DIGIT_CHUNK ? 0 : matrices[0]->panel_bytes * next - pairs * PAIR_BYTES};
    for (int p = 0; p < count; p++) {
      chunk.panels[p] = panels[p] + first * PAIR_BYTES;
      if (matrices[p]->kind == KIND_W8) continue;
      int64_t end = 2 * (first + chunk.pairs) < groups ? 2 * (first + chunk.pairs) : groups;
      unpack(panels[p], groups, 2 * first, end, unpacked.values[p]);
      chunk.panels[p] = unpacked.values[p];
    }
    for (int64_t row = 0; row < rows->count; row += TILE_ROWS) {
      int64_t tile = rows_of_tile(rows, row);
      shape_tiles(shape, (int)tile, 64);
      add_chunk(&chunk, rows->x + row * bytes + first * 128 * tile, tile, row, &digits);
    }
  }
  PUBLISH();
  for (int p = 0; p < count; p++) {
    finish(digits.high[p], digits.low[p], rows, groups,
        output_scale(matrices[p]->kind, panels[p], groups), sums[p]);
  }
}
