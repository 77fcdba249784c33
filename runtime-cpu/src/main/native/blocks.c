// KV blocks between steps: moved, copied out and copied in.
#include <string.h>

#include "decoder.h"

static int in_cache(const struct weft_decoder* d, const int32_t* blocks, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (blocks[i] < 0 || blocks[i] >= d->config.block_count) return 0;
  }
  return 1;
}

int32_t weft_decoder_move(
    struct weft_decoder* d, const int32_t* from, const int32_t* to, int64_t count) {
  if (!in_cache(d, from, count) || !in_cache(d, to, count)) return -3;
  for (int64_t i = 0; i < count; i++) {
    memcpy(block_address(&d->kv, to[i]), block_address(&d->kv, from[i]), (size_t)d->kv.used_bytes);
  }
  return 0;
}

int32_t weft_decoder_save(
    struct weft_decoder* d, const int32_t* blocks, int64_t count, uint8_t* target, int64_t stride) {
  if (!in_cache(d, blocks, count) || stride < d->kv.used_bytes) return -3;
  for (int64_t i = 0; i < count; i++) {
    memcpy(target + i * stride, block_address(&d->kv, blocks[i]), (size_t)d->kv.used_bytes);
  }
  return 0;
}

int32_t weft_decoder_load(
    struct weft_decoder* d, const int32_t* blocks, int64_t count, const uint8_t* source,
    int64_t stride) {
  if (!in_cache(d, blocks, count) || stride < d->kv.used_bytes) return -3;
  for (int64_t i = 0; i < count; i++) {
    memcpy(block_address(&d->kv, blocks[i]), source + i * stride, (size_t)d->kv.used_bytes);
  }
  return 0;
}
