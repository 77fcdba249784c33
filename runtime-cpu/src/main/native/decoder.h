// A decoder and the step that it is running: decoder.c, and its attention in attention.c.
#ifndef DECODER_H
#define DECODER_H

#include "plan.h"

#define SPLIT_TOKENS 256

struct part {
  const struct weft_matrix* matrix;
  float* vector;  // a bias, or a norm's weight
};

// One tile of queries over one split of the keys, or over all of them when its sequence has many
// tiles. Where a tile is its whole sequence, its tasks store the keys and values that their splits
// hold: nobody else reads these.
struct attention_task {
  int32_t sequence, kv_head;
  int64_t first_query, queries;
  int64_t first_block, end_block;
  int32_t splits;     // of the tile; partial results lie side by side
  int32_t split;      // this one; -1 for all
  int32_t stores;
  int32_t join;       // counts the tile's splits that are done
  float* partial;     // [highest 16][total 16][out 16][padded head size]; null when split is -1
};

// Rows with one adapter.
struct adapter_run {
  const struct weft_adapter* adapter;
  int64_t count;
  int64_t rows[ADAPTER_ROWS];
};

// The adapters of a step: memory for them is taken when the first one comes.
struct step_adapters {
  const struct weft_adapter** of_row;  // [max_rows]
  struct adapter_run* runs;            // [max_rows]
  int64_t run_count;                   // 0: no row has an adapter
  int64_t rank, stride;                // the largest, and floats of a row of inner
  float* inner;
  int64_t inner_room;
  float* normed;                       // [threads][ADAPTER_ROWS][hidden, padded]
};

struct weft_decoder {
  struct weft_device* device;
  struct weft_decoder_config config;
  struct part* parts;  // [layers + 1][WEFT_ROLE_COUNT]; the last row is the model's
  double* frequencies;
  struct kv_shape kv;
  // Carved from the scratch of the step under way:
  struct activations activations;
  float *x, *qkv, *attention, *middle, *cosine, *sine, *norm_row;
  uint8_t* attention_scratch;
  int64_t attention_scratch_bytes;
  // The step under way:
  const struct weft_step* step;
  struct attention_task* tasks;
  int64_t task_count, task_room;
  float* partials;
  int64_t partial_room;
  atomic_int* joins;  // [task_room]
  int64_t rows_to_store;
  struct step_adapters adapters;
};

static inline int64_t query_width(const struct weft_decoder* d) {
  return d->config.heads * d->config.head_size;
}
static inline int64_t kv_width(const struct weft_decoder* d) {
  return d->config.kv_heads * d->config.head_size;
}
static inline int64_t qkv_width(const struct weft_decoder* d) { return query_width(d) + 2 * kv_width(d); }
static inline int64_t max64(int64_t x, int64_t y) { return x > y ? x : y; }
static inline int64_t min64(int64_t x, int64_t y) { return x < y ? x : y; }

static inline int64_t blocks_per_split(const struct weft_decoder* d) {
  return max64(1, SPLIT_TOKENS / d->config.block_tokens);
}

static inline int64_t partial_floats(const struct weft_decoder* d) {
  return 2 * TILE_ROWS + TILE_ROWS * d->kv.padded_head_size;
}

// Cuts the step's attention into tasks; 0 when memory is out.
int decoder_make_tasks(struct weft_decoder* d);

// Stores the layer's keys and values and runs the tasks, as one phase, or as two where a sequence
// has many rows.
void decoder_attend(struct weft_decoder* d, struct walk* walk, int64_t layer);

// Gathers the step's rows by adapter; 0 when memory is out.
int decoder_gather_adapters(struct weft_decoder* d);

// Computes scale * A x for the parts first_role.. of a layer, as one phase, and tells the jobs (one
// a part, or one with `up` for two) to add B of it; does nothing in a step without adapters.
void decoder_adapt(
    struct weft_decoder* d, struct walk* walk, int64_t layer, int first_role,
    const struct source* source, struct matmul* jobs, int count);

void decoder_free_adapters(struct weft_decoder* d);

#endif
