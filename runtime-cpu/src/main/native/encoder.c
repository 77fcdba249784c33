// An encoder's forward pass over whole texts: all layers and all rows in one call.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

struct part {
  const struct weft_matrix* matrix;
  float *bias, *weight;
};

struct weft_encoder {
  struct weft_device* device;
  struct weft_encoder_config config;
  struct part* parts;  // [layers + 1][WEFT_E_ROLE_COUNT]; the last row is the model's
  // Carved from the scratch of the pass under way:
  struct activations activations;
  float *x, *qkv, *attention, *middle;
  uint8_t* scratch;
  int64_t scratch_bytes;
  // The pass under way:
  int64_t texts, rows;
  const int32_t *row_offsets, *tokens;
  float* out;
};

static struct part* part(const struct weft_encoder* e, int64_t layer, int role) {
  return &e->parts[(layer < 0 ? e->config.layers : layer) * WEFT_E_ROLE_COUNT + role];
}

static int64_t head_size(const struct weft_encoder* e) {
  return e->config.hidden / e->config.heads;
}

static void carve_encoder(struct weft_encoder* e, struct carver* carver, int64_t rows) {
  const struct weft_encoder_config* c = &e->config;
  int64_t size = head_size(e);
  int64_t widest = c->hidden > c->intermediate ? c->hidden : c->intermediate;
  carve_activations(carver, e->device, rows, widest, &e->activations);
  e->x = carve(carver, rows * c->hidden * 4);
  e->qkv = carve(carver, 3 * rows * c->hidden * 4);
  e->attention = carve(carver, rows * c->hidden * 4);
  e->middle = carve(carver, rows * c->intermediate * 4);
  // As attend_text lays it out, for the longest text.
  int64_t tokens = divide_up(c->positions, PANEL) * PANEL;
  int64_t floats = tokens * size + tokens * divide_up(size, PANEL) * PANEL + 16 * TILE_ROWS * PANEL;
  int64_t row = c->hidden;
  e->scratch_bytes = divide_up((floats + 2 * row) * 4, APART) * APART;
  e->scratch = carve(carver, e->device->threads * e->scratch_bytes);
}

int64_t weft_encoder_bytes(
    struct weft_device* device, const struct weft_encoder_config* config) {
  struct weft_encoder e = {.device = device, .config = *config};
  struct carver carver = {0};
  carve_encoder(&e, &carver, config->max_rows);
  return carver.used;
}

struct weft_encoder* weft_encoder_create(
    struct weft_device* device, const struct weft_encoder_config* config) {
  struct weft_encoder* e = calloc(1, sizeof(*e));
  if (!e) return NULL;
  e->device = device;
  e->config = *config;
  e->parts = calloc((size_t)(config->layers + 1) * WEFT_E_ROLE_COUNT, sizeof(struct part));
  if (!e->parts) {
    weft_encoder_free(e);
    return NULL;
  }
  return e;
}

void weft_encoder_free(struct weft_encoder* e) {
  if (!e) return;
  for (int64_t i = 0; e->parts && i < (e->config.layers + 1) * WEFT_E_ROLE_COUNT; i++) {
    free(e->parts[i].bias);
    free(e->parts[i].weight);
  }
  free(e->parts);
  free(e);
}

int32_t weft_encoder_matrix(
    struct weft_encoder* e, int64_t layer, int32_t role, const struct weft_matrix* matrix) {
  part(e, layer, role)->matrix = matrix;
  return 0;
}

int32_t weft_encoder_vector(
    struct weft_encoder* e, int64_t layer, int32_t role, int32_t weight, const float* values,
    int64_t count) {
  float* copy = malloc(sizeof(float) * (size_t)count);
  if (!copy) return -1;
  memcpy(copy, values, sizeof(float) * (size_t)count);
  float** place = weight ? &part(e, layer, role)->weight : &part(e, layer, role)->bias;
  free(*place);
  *place = copy;
  return 0;
}

static int complete_norm(const struct part* norm) { return norm->bias && norm->weight; }

static int complete(const struct weft_encoder* e) {
  for (int64_t layer = 0; layer < e->config.layers; layer++) {
    for (int role = WEFT_E_QUERY; role <= WEFT_E_DOWN; role++) {
      if (!part(e, layer, role)->matrix) return 0;
    }
    if (!complete_norm(part(e, layer, WEFT_E_ATTENTION_NORM))) return 0;
    if (!complete_norm(part(e, layer, WEFT_E_OUTPUT_NORM))) return 0;
  }
  return complete_norm(part(e, -1, WEFT_E_EMBEDDING_NORM));
}

static int in_range(const struct weft_encoder* e) {
  const struct weft_encoder_config* c = &e->config;
  if (e->texts < 1 || e->texts > c->max_texts || e->rows > c->max_rows) return 0;
  for (int64_t t = 0; t < e->texts; t++) {
    int64_t length = e->row_offsets[t + 1] - e->row_offsets[t];
    if (length < 1 || length > c->positions) return 0;
  }
  for (int64_t i = 0; i < e->rows; i++) {
    if (e->tokens[i] < 0 || e->tokens[i] >= c->vocabulary) return 0;
  }
  return 1;
}

static float* worker_scratch(const struct weft_encoder* e, const struct walk* walk) {
  return (float*)(e->scratch + walk->worker * e->scratch_bytes);
}

static int64_t text_of(const struct weft_encoder* e, int64_t row) {
  int64_t low = 0, high = e->texts - 1;
  while (low < high) {
    int64_t middle = (low + high + 1) / 2;
    if (e->row_offsets[middle] <= row) low = middle; else high = middle - 1;
  }
  return low;
}

static void norm_row(
    const struct weft_encoder* e, struct walk* walk, const struct part* norm, float* row) {
  walk->kernels->layer_norm(
      row, norm->weight, norm->bias, e->config.norm_epsilon, e->config.hidden, row);
}

static void add_embedding(
    int64_t dtype, const void* table, int64_t index, int64_t n, float* scratch, float* x) {
  const uint8_t* from = (const uint8_t*)table + index * weft_row_bytes((int32_t)dtype, n);
  weft_dequantize((int32_t)dtype, from, n, scratch);
  for (int64_t i = 0; i < n; i++) x[i] += scratch[i];
}

static void embed(struct weft_encoder* e, struct walk* walk) {
  const struct weft_encoder_config* c = &e->config;
  float* scratch = worker_scratch(e, walk);
  int64_t end;
  phase_begin(walk);
  for (int64_t row; (row = phase_take(walk, e->rows, 1, &end)) >= 0;) {
    float* x = e->x + row * c->hidden;
    int64_t position = row - e->row_offsets[text_of(e, row)];
    memset(x, 0, sizeof(float) * (size_t)c->hidden);
    add_embedding(c->token_dtype, c->token_embedding, e->tokens[row], c->hidden, scratch, x);
    add_embedding(c->position_dtype, c->position_embedding, position, c->hidden, scratch, x);
    add_embedding(c->type_dtype, c->type_embedding, 0, c->hidden, scratch, x);
    norm_row(e, walk, part(e, -1, WEFT_E_EMBEDDING_NORM), x);
  }
  phase_end(walk);
}

static void norm(struct weft_encoder* e, struct walk* walk, const struct part* norm) {
  int64_t end;
  phase_begin(walk);
  for (int64_t row; (row = phase_take(walk, e->rows, 1, &end)) >= 0;) {
    norm_row(e, walk, norm, e->x + row * e->config.hidden);
  }
  phase_end(walk);
}

static void attend(struct weft_encoder* e, struct walk* walk) {
  int64_t size = head_size(e), heads = e->config.heads, hidden = e->config.hidden, end;
  float scale = (float)(1 / sqrt((double)size));
  phase_begin(walk);
  for (int64_t i; (i = phase_take(walk, e->texts * heads, 1, &end)) >= 0;) {
    int64_t row = e->row_offsets[i / heads], tokens = e->row_offsets[i / heads + 1] - row;
    const float* q = e->qkv + 3 * row * hidden + i % heads * size;
    walk->kernels->attend_text(q, q + hidden, q + 2 * hidden, 3 * hidden, tokens, size, scale,
        worker_scratch(e, walk), e->attention + row * hidden + i % heads * size, hidden);
  }
  phase_end(walk);
}

static void run_layer(struct weft_encoder* e, struct walk* walk, int64_t layer) {
  int64_t hidden = e->config.hidden, middle = e->config.intermediate;
  struct part *q = part(e, layer, WEFT_E_QUERY), *k = part(e, layer, WEFT_E_KEY),
              *v = part(e, layer, WEFT_E_VALUE), *o = part(e, layer, WEFT_E_ATTENTION_OUTPUT),
              *up = part(e, layer, WEFT_E_UP), *down = part(e, layer, WEFT_E_DOWN);
  struct source source = {.x = e->x, .stride = hidden, .rows = e->rows, .inputs = hidden};
  struct matmul jobs[3] = {
    {.matrix = q->matrix, .bias = q->bias, .y = e->qkv, .stride = 3 * hidden},
    {.matrix = k->matrix, .bias = k->bias, .y = e->qkv + hidden, .stride = 3 * hidden},
    {.matrix = v->matrix, .bias = v->bias, .y = e->qkv + 2 * hidden, .stride = 3 * hidden},
  };
  prepare(walk, &e->activations, &source, jobs, 3);
  multiply(walk, jobs, 3);
  attend(e, walk);

  source.x = e->attention;
  struct matmul job = {.matrix = o->matrix, .bias = o->bias, .y = e->x, .stride = hidden,
      .epilogue = EPILOGUE_ADD};
  prepare(walk, &e->activations, &source, &job, 1);
  multiply(walk, &job, 1);
  norm(e, walk, part(e, layer, WEFT_E_ATTENTION_NORM));

  source.x = e->x;
  job = (struct matmul){.matrix = up->matrix, .bias = up->bias, .y = e->middle, .stride = middle,
      .epilogue = EPILOGUE_GELU};
  prepare(walk, &e->activations, &source, &job, 1);
  multiply(walk, &job, 1);

  source = (struct source){.x = e->middle, .stride = middle, .rows = e->rows, .inputs = middle};
  job = (struct matmul){.matrix = down->matrix, .bias = down->bias, .y = e->x, .stride = hidden,
      .epilogue = EPILOGUE_ADD};
  prepare(walk, &e->activations, &source, &job, 1);
  multiply(walk, &job, 1);
  norm(e, walk, part(e, layer, WEFT_E_OUTPUT_NORM));
}

static void pool_text(const struct weft_encoder* e, int64_t text) {
  int64_t hidden = e->config.hidden, first = e->row_offsets[text];
  int64_t rows = e->config.mean_pooling ? e->row_offsets[text + 1] - first : 1;
  float* out = e->out + text * hidden;
  double squares = 0;
  for (int64_t i = 0; i < hidden; i++) {
    double sum = 0;
    for (int64_t row = 0; row < rows; row++) sum += e->x[(first + row) * hidden + i];
    out[i] = (float)(sum / (double)rows);
    squares += (double)out[i] * out[i];
  }
  if (!e->config.normalize) return;
  double length = fmax(sqrt(squares), 1e-12);
  for (int64_t i = 0; i < hidden; i++) out[i] = (float)(out[i] / length);
}

static void run_pass(void* context, int32_t worker) {
  struct weft_encoder* e = context;
  struct walk walk = walk_start(e->device, worker);
  embed(e, &walk);
  for (int64_t layer = 0; layer < e->config.layers; layer++) run_layer(e, &walk, layer);
  int64_t end;
  phase_begin(&walk);
  for (int64_t text; (text = phase_take(&walk, e->texts, 1, &end)) >= 0;) pool_text(e, text);
  phase_end(&walk);
}

int32_t weft_encoder_forward(
    struct weft_encoder* e, void* scratch, int64_t texts, const int32_t* row_offsets,
    const int32_t* tokens, float* out) {
  e->texts = texts;
  e->row_offsets = row_offsets;
  e->rows = row_offsets[texts];
  e->tokens = tokens;
  e->out = out;
  if (!complete(e)) return -2;
  if (!in_range(e)) return -3;
  struct carver carver = {.base = scratch};
  carve_encoder(e, &carver, e->rows);
  device_run(e->device, e->device->threads, run_pass, e);
  return 0;
}
