// Adapters: packing them, and their part of a decoder's step.
#include "adapter.h"

#include <stdlib.h>
#include <string.h>

#include "decoder.h"

#define RANKS_A_RUN 16

static int64_t padded_rank(int64_t rank) { return divide_up(rank, RANKS) * RANKS; }
static int64_t padded_inputs(int64_t inputs) { return divide_up(inputs, PANEL) * PANEL; }

static enum kind float_kind(int64_t dtype) {
  return dtype == WEFT_F32 ? KIND_F32 : dtype == WEFT_F16 ? KIND_F16 : KIND_BF16;
}

static int64_t a_bytes(const struct weft_low_rank* change) {
  return padded_rank(change->rank) * padded_inputs(change->inputs) *
      float_bytes(float_kind(change->a_dtype));
}

static int64_t b_bytes(const struct weft_low_rank* change) {
  return padded_rank(change->rank) * divide_up(change->outputs, PANEL) * PANEL *
      float_bytes(float_kind(change->b_dtype));
}

int64_t weft_adapter_bytes(const struct weft_low_rank* change) {
  return divide_up(a_bytes(change), APART) * APART + divide_up(b_bytes(change), APART) * APART;
}

struct weft_adapter* weft_adapter_create(int64_t layers) {
  int64_t parts = layers * ADAPTER_PARTS;
  struct weft_adapter* adapter =
      calloc(1, sizeof(*adapter) + (size_t)parts * sizeof(struct low_rank));
  if (adapter) adapter->parts_count = parts;
  return adapter;
}

void weft_adapter_free(struct weft_adapter* adapter) {
  if (!adapter) return;
  for (int64_t i = 0; i < adapter->parts_count; i++) free(adapter->parts[i].a);
  free(adapter);
}

int32_t weft_adapter_set(
    struct weft_adapter* adapter, int64_t layer, int32_t role,
    const struct weft_low_rank* change) {
  struct low_rank* part = &adapter->parts[layer * ADAPTER_PARTS + role];
  size_t bytes = (size_t)weft_adapter_bytes(change);
  uint8_t* memory = aligned_alloc(APART, bytes);
  if (!memory) return -1;
  memset(memory, 0, bytes);
  *part = (struct low_rank){.rank = padded_rank(change->rank), .inputs = change->inputs,
      .stride = padded_inputs(change->inputs), .scale = (float)change->scale,
      .a_kind = float_kind(change->a_dtype), .b_kind = float_kind(change->b_dtype),
      .a = memory, .b = memory + divide_up(a_bytes(change), APART) * APART};
  int64_t wide = float_bytes(part->a_kind);
  for (int64_t k = 0; k < change->rank; k++) {
    memcpy(part->a + k * part->stride * wide, (const uint8_t*)change->a + k * change->inputs * wide,
        (size_t)(change->inputs * wide));
  }
  wide = float_bytes(part->b_kind);
  for (int64_t i = 0; i < change->outputs; i++) {
    uint8_t* lane = part->b + (i / PANEL * part->rank * PANEL + i % PANEL) * wide;
    const uint8_t* from = (const uint8_t*)change->b + i * change->rank * wide;
    for (int64_t k = 0; k < change->rank; k++) {
      memcpy(lane + k * PANEL * wide, from + k * wide, (size_t)wide);
    }
  }
  if (part->rank > adapter->rank) adapter->rank = part->rank;
  return 0;
}

void decoder_free_adapters(struct weft_decoder* d) {
  free(d->adapters.of_row);
  free(d->adapters.runs);
  free(d->adapters.inner);
  free(d->adapters.normed);
}

static int make_room(struct weft_decoder* d) {
  struct step_adapters* own = &d->adapters;
  size_t rows = (size_t)d->config.max_rows;
  if (!own->of_row) own->of_row = calloc(rows, sizeof(*own->of_row));
  if (!own->runs) own->runs = calloc(rows, sizeof(*own->runs));
  if (!own->normed) {
    size_t floats = (size_t)(d->device->threads * ADAPTER_ROWS * padded_inputs(d->config.hidden));
    own->normed = calloc(floats, sizeof(float));
  }
  int64_t room = d->config.max_rows * own->stride;
  if (room > own->inner_room) {
    free(own->inner);
    own->inner = malloc((size_t)room * sizeof(float));
    own->inner_room = own->inner ? room : 0;
  }
  return own->of_row && own->runs && own->normed && own->inner;
}

static void add_row(struct step_adapters* own, const struct weft_adapter* adapter, int64_t row) {
  struct adapter_run* last = own->run_count > 0 ? &own->runs[own->run_count - 1] : NULL;
  if (!last || last->adapter != adapter || last->count == ADAPTER_ROWS) {
    last = &own->runs[own->run_count++];
    *last = (struct adapter_run){.adapter = adapter};
  }
  last->rows[last->count++] = row;
}

int decoder_gather_adapters(struct weft_decoder* d) {
  const struct weft_step* step = d->step;
  struct step_adapters* own = &d->adapters;
  own->run_count = own->rank = 0;
  for (int64_t s = 0; step->adapters && s < step->sequences; s++) {
    if (step->adapters[s]) own->rank = max64(own->rank, step->adapters[s]->rank);
  }
  if (own->rank == 0) return 1;
  own->stride = 3 * own->rank;  // queries, keys and values have the same input
  if (!make_room(d)) return 0;
  for (int64_t s = 0; s < step->sequences; s++) {
    int64_t first = step->row_offsets[s], end = step->row_offsets[s + 1];
    for (int64_t row = first; row < end; row++) own->of_row[row] = step->adapters[s];
  }
  for (int64_t s = 0; s < step->sequences; s++) {
    const struct weft_adapter* adapter = step->adapters[s];
    int seen = !adapter;
    for (int64_t other = 0; other < s && !seen; other++) seen = step->adapters[other] == adapter;
    for (int64_t row = step->row_offsets[s]; row < step->rows && !seen; row++) {
      if (own->of_row[row] == adapter) add_row(own, adapter, row);
    }
  }
  return 1;
}

static void project_run(
    struct weft_decoder* d, struct walk* walk, const struct adapter_run* run, int64_t part,
    int64_t first_rank, const struct source* source, float* inner) {
  const struct low_rank* change = &run->adapter->parts[part];
  if (first_rank >= change->rank) return;
  const float* x[ADAPTER_ROWS];
  float* out[ADAPTER_ROWS];
  int64_t wide = padded_inputs(d->config.hidden);
  for (int64_t r = 0; r < run->count; r++) {
    out[r] = inner + run->rows[r] * d->adapters.stride;
    x[r] = source->x + run->rows[r] * source->stride;
    if (source->norm) {
      float* normed = d->adapters.normed + (walk->worker * ADAPTER_ROWS + r) * wide;
      walk->kernels->rms_norm(x[r], source->norm, source->epsilon, source->inputs, normed);
      x[r] = normed;
    }
  }
  int64_t end = min64(first_rank + RANKS_A_RUN, change->rank);
  walk->kernels->project(change, first_rank, end, x, run->count, out);
}

void decoder_adapt(
    struct weft_decoder* d, struct walk* walk, int64_t layer, int first_role,
    const struct source* source, struct matmul* jobs, int count) {
  const struct step_adapters* own = &d->adapters;
  if (own->run_count == 0) return;
  int64_t first_part = layer * ADAPTER_PARTS + first_role, parts = jobs[0].up ? 2 : count;
  for (int i = 0; i < count; i++) {
    jobs[i].part = i;
    jobs[i].up_part = i + 1;
    jobs[i].adapted = (struct adapted){.adapters = own->of_row, .first_part = first_part,
        .inner = own->inner, .stride = own->stride, .rank = own->rank};
  }
  int64_t blocks = divide_up(own->rank, RANKS_A_RUN), end;
  phase_begin(walk);
  for (int64_t item; (item = phase_take(walk, own->run_count * parts * blocks, 1, &end)) >= 0;) {
    int64_t block = item % blocks, part = item / blocks % parts;
    const struct adapter_run* run = &own->runs[item / blocks / parts];
    project_run(d, walk, run, first_part + part, block * RANKS_A_RUN, source,
        own->inner + part * own->rank);
  }
  phase_end(walk);
}
