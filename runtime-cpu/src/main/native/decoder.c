// A decoder step: all layers and all rows in one call.
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

static struct part* part(const struct weft_decoder* d, int64_t layer, int role) {
  return &d->parts[(layer < 0 ? d->config.layers : layer) * WEFT_ROLE_COUNT + role];
}

// A worker's room for one attention tile: keys of queries, queries, a partial result, scores, and a
// head.
static int64_t attention_scratch_bytes(const struct weft_decoder* d) {
  int64_t vectors = blocks_per_split(d) * divide_up(d->config.block_tokens, PANEL);
  int64_t floats = (TILE_ROWS + 1) * d->config.head_size + vectors * TILE_ROWS * PANEL +
      partial_floats(d);
  return divide_up(floats * 4 + 2 * TILE_ROWS * 8, APART) * APART;
}

static void carve_decoder(struct weft_decoder* d, struct carver* carver, int64_t rows) {
  const struct weft_decoder_config* c = &d->config;
  int64_t widest = max64(max64(c->hidden, query_width(d)), c->intermediate);
  carve_activations(carver, d->device, rows, widest, &d->activations);
  d->x = carve(carver, rows * c->hidden * 4);
  d->qkv = carve(carver, rows * qkv_width(d) * 4);
  d->attention = carve(carver, rows * query_width(d) * 4);
  d->middle = carve(carver, rows * c->intermediate * 4);
  d->cosine = carve(carver, rows * c->rope_dimensions / 2 * 4);
  d->sine = carve(carver, rows * c->rope_dimensions / 2 * 4);
  d->norm_row = carve(carver, d->device->threads * divide_up(c->hidden, PANEL) * PANEL * 4);
  d->attention_scratch_bytes = attention_scratch_bytes(d);
  d->attention_scratch = carve(carver, d->device->threads * d->attention_scratch_bytes);
}

static void shape_kv(struct weft_decoder* d) {
  const struct weft_decoder_config* c = &d->config;
  int64_t padded = divide_up(c->head_size, PANEL) * PANEL;
  d->kv = (struct kv_shape){.int8 = c->kv_int8 != 0, .head_size = c->head_size,
      .padded_head_size = padded, .block_tokens = c->block_tokens, .kv_heads = c->kv_heads,
      .layers = c->layers};
  int64_t bytes = kv_head_bytes(&d->kv) * c->kv_heads * c->layers;
  d->kv.used_bytes = d->kv.block_bytes = bytes;
  d->kv.blocks_per_chunk = CHUNK_BYTES / bytes;
  // Blocks larger than a chunk span whole chunks.
  if (d->kv.blocks_per_chunk == 0) d->kv.block_bytes = divide_up(bytes, CHUNK_BYTES) * CHUNK_BYTES;
  d->kv.base = c->kv;
}

int64_t weft_decoder_bytes(
    struct weft_device* device, const struct weft_decoder_config* config) {
  struct weft_decoder d = {.device = device, .config = *config};
  struct carver carver = {0};
  shape_kv(&d);
  carve_decoder(&d, &carver, config->max_rows);
  return carver.used;
}

static void fill_frequencies(struct weft_decoder* d) {
  const struct weft_decoder_config* c = &d->config;
  for (int64_t i = 0; i < c->rope_dimensions / 2; i++) {
    double factor = c->rope_factors ? c->rope_factors[i] : 1;
    d->frequencies[i] =
        1 / (pow(c->rope_theta, 2.0 * (double)i / (double)c->rope_dimensions) * factor);
  }
}

struct weft_decoder* weft_decoder_create(
    struct weft_device* device, const struct weft_decoder_config* config) {
  struct weft_decoder* d = calloc(1, sizeof(*d));
  if (!d) return NULL;
  d->device = device;
  d->config = *config;
  shape_kv(d);
  d->parts = calloc((size_t)(config->layers + 1) * WEFT_ROLE_COUNT, sizeof(struct part));
  d->frequencies = calloc((size_t)config->rope_dimensions / 2 + 1, sizeof(double));
  if (!d->parts || !d->frequencies) {
    weft_decoder_free(d);
    return NULL;
  }
  fill_frequencies(d);
  d->config.rope_factors = NULL;  // the caller's
  return d;
}

void weft_decoder_free(struct weft_decoder* d) {
  if (!d) return;
  for (int64_t i = 0; d->parts && i < (d->config.layers + 1) * WEFT_ROLE_COUNT; i++) {
    free(d->parts[i].vector);
  }
  free(d->parts);
  free(d->frequencies);
  free(d->tasks);
  free(d->joins);
  free(d->partials);
  decoder_free_adapters(d);
  free(d);
}

int32_t weft_decoder_matrix(
    struct weft_decoder* d, int64_t layer, int32_t role, const struct weft_matrix* matrix) {
  part(d, layer, role)->matrix = matrix;
  return 0;
}

int32_t weft_decoder_vector(
    struct weft_decoder* d, int64_t layer, int32_t role, const float* values, int64_t count) {
  float* copy = malloc(sizeof(float) * (size_t)count);
  if (!copy) return -1;
  memcpy(copy, values, sizeof(float) * (size_t)count);
  free(part(d, layer, role)->vector);
  part(d, layer, role)->vector = copy;
  return 0;
}

static int complete(const struct weft_decoder* d) {
  for (int64_t layer = 0; layer < d->config.layers; layer++) {
    for (int role = WEFT_QUERY; role <= WEFT_DOWN; role++) {
      if (!part(d, layer, role)->matrix) return 0;
    }
    if (!part(d, layer, WEFT_ATTENTION_NORM)->vector) return 0;
    if (!part(d, layer, WEFT_FEED_FORWARD_NORM)->vector) return 0;
  }
  return part(d, -1, WEFT_OUTPUT)->matrix && part(d, -1, WEFT_OUTPUT_NORM)->vector;
}

static int in_range(const struct weft_decoder* d, const struct weft_step* step) {
  const struct weft_decoder_config* c = &d->config;
  if (step->workers < 1 || step->workers > d->device->threads) return 0;
  if (step->rows < 1 || step->rows > c->max_rows || step->logit_rows > step->rows) return 0;
  for (int64_t i = 0; i < step->rows; i++) {
    if (step->tokens[i] < 0 || step->tokens[i] >= c->vocabulary || step->positions[i] < 0) return 0;
  }
  for (int64_t i = 0; i < step->logit_rows; i++) {
    if (step->logit_row[i] < 0 || step->logit_row[i] >= step->rows) return 0;
  }
  for (int64_t s = 0; s < step->sequences; s++) {
    int64_t last = step->positions[step->row_offsets[s + 1] - 1];
    int64_t room = step->block_offsets[s + 1] - step->block_offsets[s];
    if (last >= room * c->block_tokens) return 0;
  }
  for (int64_t i = 0; i < step->block_offsets[step->sequences]; i++) {
    if (step->blocks[i] < 0 || step->blocks[i] >= c->block_count) return 0;
  }
  return 1;
}

static void embed(struct weft_decoder* d, struct walk* walk) {
  const struct weft_decoder_config* c = &d->config;
  int64_t end, pairs = c->rope_dimensions / 2;
  int64_t bytes = weft_row_bytes((int32_t)c->embedding_dtype, c->hidden);
  int64_t length = blocks_per_stretch(d->step->rows) * BLOCK_ROWS;
  phase_begin(walk);
  for (int64_t row; (row = phase_take_near(walk, d->step->rows, length, 1, &end)) >= 0;) {
    const uint8_t* from = (const uint8_t*)c->embedding + d->step->tokens[row] * bytes;
    weft_dequantize((int32_t)c->embedding_dtype, from, c->hidden, d->x + row * c->hidden);
    for (int64_t i = 0; i < pairs; i++) {
      double angle = d->step->positions[row] * d->frequencies[i];
      d->cosine[row * pairs + i] = (float)cos(angle);
      d->sine[row * pairs + i] = (float)sin(angle);
    }
  }
  phase_end(walk);
}

static void run_layer(struct weft_decoder* d, struct walk* walk, int64_t layer) {
  const struct weft_decoder_config* c = &d->config;
  int64_t rows = d->step->rows, wide = qkv_width(d);
  struct source source = {.x = d->x, .stride = c->hidden, .rows = rows, .inputs = c->hidden,
      .norm = part(d, layer, WEFT_ATTENTION_NORM)->vector, .epsilon = c->norm_epsilon,
      .scratch = d->norm_row};
  struct part *q = part(d, layer, WEFT_QUERY), *k = part(d, layer, WEFT_KEY),
              *v = part(d, layer, WEFT_VALUE), *o = part(d, layer, WEFT_ATTENTION_OUTPUT),
              *gate = part(d, layer, WEFT_GATE), *up = part(d, layer, WEFT_UP),
              *down = part(d, layer, WEFT_DOWN);
  float *keys = d->qkv + query_width(d), *values = keys + kv_width(d);
  struct matmul jobs[3] = {
    {.matrix = q->matrix, .bias = q->vector, .y = d->qkv, .stride = wide},
    {.matrix = k->matrix, .bias = k->vector, .y = keys, .stride = wide},
    {.matrix = v->matrix, .bias = v->vector, .y = values, .stride = wide},
  };
  prepare(walk, &d->activations, &source, jobs, 3);
  decoder_adapt(d, walk, layer, WEFT_QUERY, &source, jobs, 3);
  multiply(walk, jobs, 3);
  decoder_attend(d, walk, layer);

  source = (struct source){.x = d->attention, .stride = query_width(d), .rows = rows,
      .inputs = query_width(d)};
  struct matmul job = {.matrix = o->matrix, .bias = o->vector, .y = d->x, .stride = c->hidden,
      .epilogue = EPILOGUE_ADD};
  prepare(walk, &d->activations, &source, &job, 1);
  decoder_adapt(d, walk, layer, WEFT_ATTENTION_OUTPUT, &source, &job, 1);
  multiply(walk, &job, 1);

  source = (struct source){.x = d->x, .stride = c->hidden, .rows = rows, .inputs = c->hidden,
      .norm = part(d, layer, WEFT_FEED_FORWARD_NORM)->vector, .epsilon = c->norm_epsilon,
      .scratch = d->norm_row};
  job = (struct matmul){.matrix = gate->matrix, .bias = gate->vector, .up = up->matrix,
      .up_bias = up->vector, .y = d->middle, .stride = c->intermediate,
      .epilogue = EPILOGUE_GATED,
      .activation = c->gelu ? ACTIVATION_GELU_TANH : ACTIVATION_SILU};
  prepare(walk, &d->activations, &source, &job, 1);
  decoder_adapt(d, walk, layer, WEFT_GATE, &source, &job, 1);
  multiply(walk, &job, 1);

  source = (struct source){.x = d->middle, .stride = c->intermediate, .rows = rows,
      .inputs = c->intermediate};
  job = (struct matmul){.matrix = down->matrix, .bias = down->vector, .y = d->x,
      .stride = c->hidden, .epilogue = EPILOGUE_ADD};
  prepare(walk, &d->activations, &source, &job, 1);
  decoder_adapt(d, walk, layer, WEFT_DOWN, &source, &job, 1);
  multiply(walk, &job, 1);
}

static void run_output(struct weft_decoder* d, struct walk* walk) {
  const struct weft_decoder_config* c = &d->config;
  const struct weft_step* step = d->step;
  if (step->logit_rows == 0) return;
  struct source source = {.x = d->x, .stride = c->hidden, .rows = step->logit_rows,
      .inputs = c->hidden, .index = step->logit_row,
      .norm = part(d, -1, WEFT_OUTPUT_NORM)->vector, .epsilon = c->norm_epsilon,
      .scratch = d->norm_row};
  struct matmul job = {.matrix = part(d, -1, WEFT_OUTPUT)->matrix,
      .bias = part(d, -1, WEFT_OUTPUT)->vector, .y = step->logits, .stride = c->vocabulary};
  prepare(walk, &d->activations, &source, &job, 1);
  multiply(walk, &job, 1);
  int64_t end;
  phase_begin(walk);
  for (int64_t i; (i = phase_take(walk, step->logit_rows, 1, &end)) >= 0;) {
    step->argmax[i] = (int32_t)walk->kernels->argmax(step->logits + i * c->vocabulary, c->vocabulary);
  }
  phase_end(walk);
}

static void run_step(void* context, int32_t worker) {
  struct weft_decoder* d = context;
  struct walk walk = walk_start(d->device, worker);
  embed(d, &walk);
  for (int64_t layer = 0; layer < d->config.layers; layer++) run_layer(d, &walk, layer);
  run_output(d, &walk);
}

int32_t weft_decoder_step(struct weft_decoder* d, const struct weft_step* step) {
  if (!complete(d)) return -2;
  if (!in_range(d, step)) return -3;
  d->step = step;
  struct carver carver = {.base = step->scratch};
  carve_decoder(d, &carver, step->rows);
  if (!decoder_make_tasks(d) || !decoder_gather_adapters(d)) return -1;
  device_run(d->device, (int32_t)step->workers, run_step, d);
  return 0;
}
