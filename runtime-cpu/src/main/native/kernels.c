// Every kernel of one instruction set: compiled once for each, with KERNELS naming the table.
#include "kernels.h"

#include <string.h>

#include "simd.h"

extern const struct kernels KERNELS;

#include "kernel_rows.h"
#include "kernel_adapter.h"
#include "kernel_matmul.h"
#include "kernel_attention.h"

const struct kernels KERNELS = {
  .name = KERNELS_NAME,
  .quantize = quantize,
  .bf16_form = HAS_PAIRS ? FORM_PAIRS : FORM_FLOATS,
#if defined(__AVX512VNNI__)
  .wide_form = FORM_DIGITS,
#else
  .wide_form = FORM_HALVES,
#endif
  .matmul = matmul,
  .product = product,
  .finish_tile = finish_tile,
  .project = project,
  .rms_norm = rms_norm,
  .layer_norm = layer_norm,
  .rope = rope,
  .kv_write = kv_write,
  .attend = attend,
  .merge = merge,
  .finish = finish,
  .attend_text = attend_text,
  .argmax = argmax,
};
