// A decoder step's attention: cut into tasks for the team, run, and merged again.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

static int64_t first_key(const struct weft_decoder* d, int64_t position) {
  int64_t window = d->config.sliding_window;
  return window > 0 ? max64(0, position - window + 1) : 0;
}

// Counts tasks and partial results, and writes them where there is room.
static void plan_attention(struct weft_decoder* d, int64_t* tasks, int64_t* partials) {
  const struct weft_step* step = d->step;
  int64_t group = d->config.heads / d->config.kv_heads;
  int64_t tokens = d->config.block_tokens, per_split = blocks_per_split(d);
  *tasks = *partials = 0;
  for (int64_t s = 0; s < step->sequences; s++) {
    int64_t start = step->row_offsets[s], rows = step->row_offsets[s + 1] - start;
    int64_t queries = rows * group;
    for (int64_t tile = 0; tile < queries; tile += TILE_ROWS) {
      int64_t tile_end = min64(queries, tile + TILE_ROWS);
      int64_t first = step->positions[start + tile / group];
      int64_t last = step->positions[start + (tile_end - 1) / group];
      int64_t first_split = first_key(d, first) / tokens / per_split;
      int64_t end_block = last / tokens + 1;
      int64_t splits = divide_up(end_block, per_split) - first_split;
      int apart = queries <= TILE_ROWS && splits > 1;
      for (int64_t head = 0; head < d->config.kv_heads; head++) {
        for (int64_t split = 0; split < (apart ? splits : 1); split++) {
          if (*tasks < d->task_room) {
            int64_t block = (first_split + split) * per_split;
            d->tasks[*tasks] = (struct attention_task){.sequence = (int32_t)s,
                .kv_head = (int32_t)head, .first_query = tile, .queries = tile_end - tile,
                .first_block = block,
                .end_block = apart ? min64(end_block, block + per_split) : end_block,
                .splits = (int32_t)splits, .split = apart ? (int32_t)split : -1,
                .partial = apart && *partials < d->partial_room
                    ? d->partials + *partials * partial_floats(d) : NULL};
          }
          ++*tasks;
          *partials += apart;
        }
      }
    }
  }
}

int decoder_make_tasks(struct weft_decoder* d) {
  int64_t tasks, partials;
  plan_attention(d, &tasks, &partials);
  if (tasks > d->task_room) {
    free(d->tasks);
    d->task_room = 0;
    d->tasks = calloc((size_t)tasks * 2, sizeof(struct attention_task));
    if (!d->tasks) return 0;
    d->task_room = tasks * 2;
  }
  if (partials > d->partial_room) {
    free(d->partials);
    d->partial_room = 0;
    d->partials = malloc((size_t)(partials * 2 * partial_floats(d)) * sizeof(float));
    if (!d->partials) return 0;
    d->partial_room = partials * 2;
  }
  plan_attention(d, &d->task_count, &partials);
  d->has_splits = partials > 0;
  return 1;
}

static float* output_of(const struct weft_decoder* d, const struct attention_task* task, int64_t i) {
  int64_t group = d->config.heads / d->config.kv_heads, query = task->first_query + i;
  int64_t row = d->step->row_offsets[task->sequence] + query / group;
  return d->attention + row * query_width(d) +
      (task->kv_head * group + query % group) * d->config.head_size;
}

static void attend_task(
    struct weft_decoder* d, struct walk* walk, int64_t layer, const struct attention_task* task) {
  const struct weft_decoder_config* c = &d->config;
  int64_t group = c->heads / c->kv_heads, rows = tile_rows(task->queries), size = c->head_size;
  int64_t* first = (int64_t*)(d->attention_scratch + walk->worker * d->attention_scratch_bytes);
  int64_t* last = first + TILE_ROWS;
  float* q = (float*)(last + TILE_ROWS);
  float* partial = task->partial ? task->partial : q + TILE_ROWS * size;
  float* scores = q + TILE_ROWS * size + partial_floats(d);
  memset(partial, 0, (size_t)partial_floats(d) * sizeof(float));
  for (int64_t i = 0; i < rows; i++) {
    int64_t query = task->first_query + min64(i, task->queries - 1);
    int64_t row = d->step->row_offsets[task->sequence] + query / group;
    const float* from =
        d->qkv + row * qkv_width(d) + (task->kv_head * group + query % group) * size;
    for (int64_t e = 0; e < size; e++) q[e * rows + i] = i < task->queries ? from[e] : 0;
    last[i] = d->step->positions[row];
    first[i] = first_key(d, last[i]);
    partial[i] = -INFINITY;
  }
  struct attention_tile tile = {.kv = &d->kv,
      .blocks = d->step->blocks + d->step->block_offsets[task->sequence], .layer = layer,
      .kv_head = task->kv_head, .queries = task->queries, .q = q, .first_key = first,
      .last_key = last, .scores = scores, .highest = partial, .total = partial + TILE_ROWS,
      .out = partial + 2 * TILE_ROWS};
  int64_t per_split = blocks_per_split(d);
  for (int64_t block = task->first_block; block < task->end_block; block += per_split) {
    tile.first_block = block;
    tile.end_block = min64(task->end_block, block + per_split);
    walk->kernels->attend(&tile);
  }
  if (task->partial) return;
  for (int64_t i = 0; i < task->queries; i++) {
    walk->kernels->finish(tile.out + i * d->kv.padded_head_size, tile.total[i], size,
        output_of(d, task, i));
  }
}

// Merges the splits that ran apart; the first task of each tile does it.
static void join_splits(struct weft_decoder* d, struct walk* walk, const struct attention_task* task) {
  int64_t floats = partial_floats(d), padded = d->kv.padded_head_size;
  float* into = task->partial;
  for (int64_t i = 0; i < task->queries; i++) {
    float* out = into + 2 * TILE_ROWS + i * padded;
    for (int64_t split = 1; split < task->splits; split++) {
      const float* from = into + split * floats;
      walk->kernels->merge(&into[i], &into[TILE_ROWS + i], out, from[i], from[TILE_ROWS + i],
          from + 2 * TILE_ROWS + i * padded, padded);
    }
    walk->kernels->finish(out, into[TILE_ROWS + i], d->config.head_size, output_of(d, task, i));
  }
}

void decoder_attend(struct weft_decoder* d, struct walk* walk, int64_t layer) {
  int64_t end;
  phase_begin(walk);
  for (int64_t i; (i = phase_take(walk, d->task_count, 1, &end)) >= 0;) {
    attend_task(d, walk, layer, &d->tasks[i]);
  }
  phase_end(walk);
  if (!d->has_splits) return;
  phase_begin(walk);
  for (int64_t i; (i = phase_take(walk, d->task_count, 1, &end)) >= 0;) {
    if (d->tasks[i].split == 0) join_splits(d, walk, &d->tasks[i]);
  }
  phase_end(walk);
}
