// From the block layouts of model files (ggml's, GGUF v3) to panels.
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "matrix.h"
#include "quantize.h"
#include "weft.h"

static const struct dtype {
  int64_t elements, bytes;
  enum kind kind;
} DTYPES[WEFT_DTYPE_COUNT] = {
  [WEFT_F32] = {1, 4, KIND_F32},       [WEFT_F16] = {1, 2, KIND_F16},
  [WEFT_BF16] = {1, 2, KIND_BF16},     [WEFT_Q8_0] = {32, 34, KIND_Q8_D},
  [WEFT_Q4_0] = {32, 18, KIND_Q4_D},   [WEFT_Q4_1] = {32, 20, KIND_Q4_DM},
  [WEFT_Q5_0] = {32, 22, KIND_Q5_D},   [WEFT_Q5_1] = {32, 24, KIND_Q5_DM},
  [WEFT_Q4_K] = {256, 144, KIND_Q4_K}, [WEFT_Q5_K] = {256, 176, KIND_Q5_K},
  [WEFT_Q6_K] = {256, 210, KIND_Q6_K},
};

// 32 elements of a quantised tensor: w = d * scale * (v - zero) - dmin * min, or with m for -dmin.
struct raw_group {
  uint8_t v[GROUP];
  uint16_t d, m;      // f16 bits; m is dmin in the K types
  uint8_t scale, min; // of the K types
  int8_t half_scale[2];
};

static float half(uint16_t bits) { return _cvtsh_ss(bits); }

static uint16_t read16(const uint8_t* at) {
  uint16_t x;
  memcpy(&x, at, sizeof(x));
  return x;
}

static void read_nibbles(const uint8_t* qs, struct raw_group* out) {
  for (int j = 0; j < 16; j++) {
    out->v[j] = qs[j] & 15;
    out->v[j + 16] = qs[j] >> 4;
  }
}

static void read_fives(const uint8_t* high, const uint8_t* qs, struct raw_group* out) {
  uint32_t bits;
  memcpy(&bits, high, sizeof(bits));
  read_nibbles(qs, out);
  for (int j = 0; j < GROUP; j++) out->v[j] |= (uint8_t)((bits >> j & 1) << 4);
}

// Eight 6-bit scales and mins in 12 bytes.
static void read_k_scales(const uint8_t* at, int g, struct raw_group* out) {
  if (g < 4) {
    out->scale = at[g] & 63;
    out->min = at[g + 4] & 63;
  } else {
    out->scale = (uint8_t)((at[g + 4] & 15) | (at[g - 4] >> 6) << 4);
    out->min = (uint8_t)((at[g + 4] >> 4) | (at[g] >> 6) << 4);
  }
}

static void read_k_group(enum weft_dtype dtype, const uint8_t* block, int g, struct raw_group* out) {
  out->d = read16(block);
  out->m = read16(block + 2);
  read_k_scales(block + 4, g, out);
  const uint8_t* high = block + 16;
  const uint8_t* qs = block + (dtype == WEFT_Q5_K ? 48 : 16) + g / 2 * 32;
  for (int j = 0; j < GROUP; j++) {
    out->v[j] = g % 2 ? qs[j] >> 4 : qs[j] & 15;
    if (dtype == WEFT_Q5_K) out->v[j] |= (uint8_t)((high[j] >> g & 1) << 4);
  }
}

static void read_q6_group(const uint8_t* block, int g, struct raw_group* out) {
  int half_block = g / 4, quarter = g % 4;
  const uint8_t* low = block + half_block * 64 + quarter % 2 * 32;
  const uint8_t* high = block + 128 + half_block * 32;
  const int8_t* scales = (const int8_t*)block + 192 + half_block * 8 + quarter * 2;
  out->d = read16(block + 208);
  out->half_scale[0] = scales[0];
  out->half_scale[1] = scales[1];
  for (int j = 0; j < GROUP; j++) {
    int nibble = quarter < 2 ? low[j] & 15 : low[j] >> 4;
    out->v[j] = (uint8_t)(nibble | (high[j] >> 2 * quarter & 3) << 4);
  }
}

static void read_group(enum weft_dtype dtype, const uint8_t* row, int64_t g, struct raw_group* out) {
  const uint8_t* block = row + g * GROUP / DTYPES[dtype].elements * DTYPES[dtype].bytes;
  out->d = read16(block);
  out->m = read16(block + 2);
  switch (dtype) {
    case WEFT_Q8_0:
      for (int j = 0; j < GROUP; j++) out->v[j] = block[2 + j] ^ 0x80;
      break;
    case WEFT_Q4_0: read_nibbles(block + 2, out); break;
    case WEFT_Q4_1: read_nibbles(block + 4, out); break;
    case WEFT_Q5_0: read_fives(block + 2, block + 6, out); break;
    case WEFT_Q5_1: read_fives(block + 4, block + 8, out); break;
    case WEFT_Q4_K:
    case WEFT_Q5_K: read_k_group(dtype, block, (int)(g % SUPER_GROUPS), out); break;
    case WEFT_Q6_K: read_q6_group(block, (int)(g % SUPER_GROUPS), out); break;
    default: break;
  }
}

static void widen_group(enum kind kind, const struct raw_group* raw, float* out) {
  float d = half(raw->d);
  for (int j = 0; j < GROUP; j++) {
    float v = raw->v[j];
    switch (kind) {
      case KIND_Q4_D: out[j] = d * (v - 8); break;
      case KIND_Q5_D: out[j] = d * (v - 16); break;
      case KIND_Q8_D: out[j] = d * (v - 128); break;
      case KIND_Q6_K: out[j] = d * raw->half_scale[j / 16] * (v - 32); break;
      case KIND_Q4_K:
      case KIND_Q5_K: out[j] = d * raw->scale * v - half(raw->m) * raw->min; break;
      default: out[j] = d * v + half(raw->m); break;
    }
  }
}

int32_t weft_dequantize(int32_t dtype, const void* data, int64_t count, float* out) {
  if (dtype < 0 || dtype >= WEFT_DTYPE_COUNT || count % DTYPES[dtype].elements) return -1;
  const uint8_t* bytes = data;
  if (dtype == WEFT_F32) {
    memcpy(out, data, sizeof(float) * (size_t)count);
  } else if (dtype == WEFT_F16) {
    for (int64_t i = 0; i < count; i++) out[i] = half(read16(bytes + 2 * i));
  } else if (dtype == WEFT_BF16) {
    for (int64_t i = 0; i < count; i++) {
      uint32_t bits = (uint32_t)read16(bytes + 2 * i) << 16;
      memcpy(out + i, &bits, sizeof(bits));
    }
  } else {
    for (int64_t g = 0; g < count / GROUP; g++) {
      struct raw_group raw;
      read_group(dtype, bytes, g, &raw);
      widen_group(DTYPES[dtype].kind, &raw, out + g * GROUP);
    }
  }
  return 0;
}

int64_t weft_row_bytes(int32_t dtype, int64_t inputs) {
  return inputs / DTYPES[dtype].elements * DTYPES[dtype].bytes;
}

static int64_t panel_bytes(enum kind kind, int64_t inputs) {
  int64_t groups = divide_up(inputs, GROUP), bytes;
  switch (kind) {
    case KIND_F32: bytes = inputs * 64; break;
    case KIND_F16: bytes = inputs * 32; break;
    case KIND_BF16: bytes = groups * 1024; break;
    case KIND_W8:
    case KIND_W4: bytes = output_scale_offset(kind, groups) + 64; break;
    default:
      bytes = groups * (value_bytes(kind) + (has_min(kind) && !is_super(kind) ? 64 : 32));
      if (is_super(kind)) bytes += groups / SUPER_GROUPS * (kind == KIND_Q6_K ? 32 : 64);
  }
  return divide_up(bytes, 64) * 64;
}

static int valid(int32_t dtype, int64_t outputs, int64_t inputs, int32_t packing) {
  if (packing < 0 || packing >= WEFT_PACKING_COUNT) return 0;
  if (dtype < 0 || dtype >= WEFT_DTYPE_COUNT || outputs <= 0 || inputs <= 0) return 0;
  if (packing != WEFT_AS_FILE && inputs > MOST_WIDE_INPUTS) return 0;
  return inputs % DTYPES[dtype].elements == 0;
}

static enum kind kind_of(int32_t dtype, int32_t packing) {
  return packing == WEFT_W8A8 ? KIND_W8 : packing == WEFT_W4A8 ? KIND_W4 : DTYPES[dtype].kind;
}

static size_t mapped(int64_t bytes) { return (size_t)divide_up(bytes, 4096) * 4096; }

int64_t weft_matrix_bytes(int32_t dtype, int64_t outputs, int64_t inputs, int32_t packing) {
  if (!valid(dtype, outputs, inputs, packing)) return -1;
  return (int64_t)mapped(divide_up(outputs, PANEL) * panel_bytes(kind_of(dtype, packing), inputs));
}

// Value bytes of 16 outputs of one group; returns where the scales follow.
static uint8_t* put_values(enum kind kind, const struct raw_group* rows, uint8_t* at) {
  const int bits = high_bits(kind);
  for (int row = 0; row < PANEL; row++) {
    for (int k = 0; k < GROUP; k++) {
      int quad = k / 4, place = row * 4 + k % 4, v = rows[row].v[k];
      if (value_bytes(kind) == 512) {
        at[quad * 64 + place] = (uint8_t)v;
        continue;
      }
      at[quad % 4 * 64 + place] |= (uint8_t)((v & 15) << (quad < 4 ? 0 : 4));
      if (bits == 1) at[256 + place] |= (uint8_t)(v >> 4 << quad);
      if (bits == 2) at[256 + quad / 4 * 64 + place] |= (uint8_t)(v >> 4 << quad % 4 * 2);
    }
  }
  return at + value_bytes(kind);
}

static uint8_t* put_halves(const struct raw_group* rows, int mins, uint8_t* at) {
  for (int row = 0; row < PANEL; row++) {
    memcpy(at + 2 * row, mins ? &rows[row].m : &rows[row].d, 2);
  }
  return at + 2 * PANEL;
}

static uint8_t* put_k_scales(enum kind kind, const struct raw_group* rows, uint8_t* at) {
  for (int row = 0; row < PANEL; row++) {
    at[row] = kind == KIND_Q6_K ? (uint8_t)rows[row].half_scale[0] : rows[row].scale;
    at[row + PANEL] = kind == KIND_Q6_K ? (uint8_t)rows[row].half_scale[1] : rows[row].min;
  }
  return at + 2 * PANEL;
}

static void pack_groups(
    const struct weft_matrix* matrix, enum weft_dtype dtype, const uint8_t* data, int64_t panel,
    uint8_t* at) {
  enum kind kind = matrix->kind;
  int64_t bytes = weft_row_bytes((int32_t)dtype, matrix->inputs);
  for (int64_t g = 0; g < matrix->groups; g++) {
    struct raw_group rows[PANEL];
    memset(rows, 0, sizeof(rows));
    for (int64_t row = 0; row < PANEL && panel * PANEL + row < matrix->outputs; row++) {
      read_group(dtype, data + (panel * PANEL + row) * bytes, g, &rows[row]);
    }
    if (is_super(kind) && g % SUPER_GROUPS == 0) {
      at = put_halves(rows, 0, at);
      if (kind != KIND_Q6_K) at = put_halves(rows, 1, at);
    }
    at = put_values(kind, rows, at);
    if (is_super(kind)) {
      at = put_k_scales(kind, rows, at);
    } else {
      at = put_halves(rows, 0, at);
      if (has_min(kind)) at = put_halves(rows, 1, at);
    }
  }
}

static void pack_floats(
    const struct weft_matrix* matrix, const uint8_t* data, int64_t panel, uint8_t* at) {
  int64_t size = matrix->kind == KIND_F32 ? 4 : 2, inputs = matrix->inputs;
  for (int64_t r = 0; r < PANEL && panel * PANEL + r < matrix->outputs; r++) {
    const uint8_t* row = data + (panel * PANEL + r) * inputs * size;
    for (int64_t k = 0; k < inputs; k++) {
      int64_t place = matrix->kind == KIND_BF16 ? k / 2 * 2 * PANEL + 2 * r + k % 2 : k * PANEL + r;
      memcpy(at + place * size, row + k * size, (size_t)size);
    }
  }
}

// The panel's rows as floats, then to int8 or LiquidQuant.
static void pack_rows(
    const struct weft_matrix* matrix, int32_t dtype, const uint8_t* data, int64_t panel, float* row,
    uint8_t* at) {
  int64_t bytes = weft_row_bytes(dtype, matrix->inputs);
  start_panel(matrix, at);
  for (int64_t r = 0; r < PANEL && panel * PANEL + r < matrix->outputs; r++) {
    weft_dequantize(dtype, data + (panel * PANEL + r) * bytes, matrix->inputs, row);
    if (matrix->kind == KIND_W8) {
      quantize_w8(matrix, row, r, at);
    } else {
      quantize_w4(matrix, row, r, at);
    }
  }
}

static struct weft_matrix matrix_of(
    int32_t dtype, int64_t outputs, int64_t inputs, int32_t packing) {
  enum kind kind = kind_of(dtype, packing);
  return (struct weft_matrix){.kind = kind, .outputs = outputs, .inputs = inputs,
      .groups = divide_up(inputs, GROUP), .panels = divide_up(outputs, PANEL),
      .panel_bytes = panel_bytes(kind, inputs)};
}

int32_t weft_layout(void) { return WEFT_LAYOUT; }

const void* weft_matrix_data(const struct weft_matrix* matrix) { return matrix->data; }

struct weft_matrix* weft_matrix_wrap(
    int32_t dtype, const void* data, int64_t outputs, int64_t inputs, int32_t packing) {
  if (!valid(dtype, outputs, inputs, packing) || (uintptr_t)data % 64) return NULL;
  struct weft_matrix* matrix = malloc(sizeof(*matrix));
  if (!matrix) return NULL;
  *matrix = matrix_of(dtype, outputs, inputs, packing);
  matrix->data = (uint8_t*)(uintptr_t)data;
  return matrix;
}

struct weft_matrix* weft_matrix_pack(
    int32_t dtype, const void* data, int64_t outputs, int64_t inputs, int32_t packing) {
  if (!valid(dtype, outputs, inputs, packing)) return NULL;
  struct weft_matrix* matrix = malloc(sizeof(*matrix));
  float* row = malloc(sizeof(float) * (size_t)inputs);
  if (!matrix || !row) goto no_memory;
  *matrix = matrix_of(dtype, outputs, inputs, packing);
  enum kind kind = matrix->kind;
  matrix->mapped_bytes = mapped(matrix->panels * matrix->panel_bytes);
  matrix->data = mmap(NULL, matrix->mapped_bytes, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (matrix->data == MAP_FAILED) goto no_memory;
  madvise(matrix->data, matrix->mapped_bytes, MADV_HUGEPAGE);
  for (int64_t panel = 0; panel < matrix->panels; panel++) {
    uint8_t* at = matrix->data + panel * matrix->panel_bytes;
    if (packing != WEFT_AS_FILE) {
      pack_rows(matrix, dtype, data, panel, row, at);
    } else if (kind < KIND_F32) {
      pack_groups(matrix, (enum weft_dtype)dtype, data, panel, at);
    } else {
      pack_floats(matrix, data, panel, at);
    }
  }
  free(row);
  return matrix;
no_memory:
  free(row);
  free(matrix);
  return NULL;
}

void weft_matrix_free(struct weft_matrix* matrix) {
  if (!matrix) return;
  if (matrix->mapped_bytes) munmap(matrix->data, matrix->mapped_bytes);
  free(matrix);
}
