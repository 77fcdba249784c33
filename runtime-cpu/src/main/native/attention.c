// A decoder step's attention: cut into tasks for the team, run, and merged by the last of a tile.
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

static int64_t first_key(const struct weft_decoder* d, int64_t position) {
  int64_t window = d->config.sliding_window;
  return window > 0 ? max64(0, position - window + 1) : 0;
}

// Counts tasks, partial results and tiles in splits, and writes them where there is room.
struct attention_plan {
  int64_t tasks, partials, joins;
};

static void plan_tile(
    struct weft_decoder* d, struct attention_plan* plan, struct attention_task task,
    int64_t first_position, int64_t last_position) {
  int64_t tokens = d->config.block_tokens, per_split = blocks_per_split(d);
  int64_t first_split = first_key(d, first_position) / tokens / per_split;
  task.end_block = last_position / tokens + 1;
  task.splits = (int32_t)(divide_up(task.end_block, per_split) - first_split);
  int apart = task.stores && task.splits > 1;
  int64_t end_block = task.end_block;
  for (int64_t head = 0; head < d->config.kv_heads; head++) {
    for (int64_t split = 0; split < (apart ? task.splits : 1); split++) {
      if (plan->tasks < d->task_room) {
        int64_t block = (first_split + split) * per_split;
        task.kv_head = (int32_t)head;
        task.first_block = block;
        task.end_block = apart ? min64(end_block, block + per_split) : end_block;
        task.split = apart ? (int32_t)split : -1;
        task.join = (int32_t)plan->joins;
        task.partial = apart && plan->partials < d->partial_room
            ? d->partials + plan->partials * partial_floats(d) : NULL;
        d->tasks[plan->tasks] = task;
      }
      plan->tasks++;
      plan->partials += apart;
    }
    plan->joins += apart;
  }
}

static struct attention_plan plan_attention(struct weft_decoder* d) {
  const struct weft_step* step = d->step;
  int64_t group = d->config.heads / d->config.kv_heads;
  struct attention_plan plan = {0};
  d->rows_to_store = 0;
  for (int64_t s = 0; s < step->sequences; s++) {
    int64_t start = step->row_offsets[s], rows = step->row_offsets[s + 1] - start;
    int64_t queries = rows * group;
    int stores = queries <= TILE_ROWS;
    if (!stores) d->rows_to_store += rows;
    for (int64_t tile = 0; tile < queries; tile += TILE_ROWS) {
      int64_t tile_end = min64(queries, tile + TILE_ROWS);
      struct attention_task task = {.sequence = (int32_t)s, .first_query = tile,
          .queries = tile_end - tile, .stores = stores};
      plan_tile(d, &plan, task, step->positions[start + tile / group],
          step->positions[start + (tile_end - 1) / group]);
    }
  }
  return plan;
}

int decoder_make_tasks(struct weft_decoder* d) {
  struct attention_plan plan = plan_attention(d);
  if (plan.tasks > d->task_room) {
    free(d->tasks);
    free(d->joins);
    d->task_room = 0;
    d->tasks = calloc((size_t)plan.tasks * 2, sizeof(struct attention_task));
    d->joins = calloc((size_t)plan.tasks * 2, sizeof(atomic_int));
    if (!d->tasks || !d->joins) return 0;
    d->task_room = plan.tasks * 2;
  }
  if (plan.partials > d->partial_room) {
    free(d->partials);
    d->partial_room = 0;
    d->partials = malloc((size_t)(plan.partials * 2 * partial_floats(d)) * sizeof(float));
    if (!d->partials) return 0;
    d->partial_room = plan.partials * 2;
  }
  d->task_count = plan_attention(d).tasks;
  return 1;
}

// Turns a head of a row into `out`.
static void turn(
    const struct weft_decoder* d, const struct walk* walk, int64_t row, const float* head,
    float* out) {
  int64_t pairs = d->config.rope_dimensions / 2;
  memcpy(out, head, sizeof(float) * (size_t)d->config.head_size);
  walk->kernels->rope(out, d->cosine + row * pairs, d->sine + row * pairs, pairs,
      d->config.rope_interleaved != 0);
}

// Stores one KV head of a row in its block.
static void store_row(
    const struct weft_decoder* d, const struct walk* walk, int64_t layer, int64_t sequence,
    int64_t row, int64_t kv_head, float* scratch) {
  const struct weft_step* step = d->step;
  int64_t tokens = d->config.block_tokens, position = step->positions[row];
  int32_t block = step->blocks[step->block_offsets[sequence] + position / tokens];
  const float* key =
      d->qkv + row * qkv_width(d) + query_width(d) + kv_head * d->config.head_size;
  turn(d, walk, row, key, scratch);
  walk->kernels->kv_write(&d->kv, kv_address(&d->kv, block, layer, kv_head), position % tokens,
      scratch, key + kv_width(d));
}

static float* scratch_of(const struct weft_decoder* d, const struct walk* walk) {
  return (float*)(d->attention_scratch + walk->worker * d->attention_scratch_bytes);
}

static int64_t sequence_of(const struct weft_step* step, int64_t row) {
  int64_t low = 0, high = step->sequences - 1;
  while (low < high) {
    int64_t middle = (low + high + 1) / 2;
    if (step->row_offsets[middle] <= row) low = middle; else high = middle - 1;
  }
  return low;
}

// Rows of one KV head that are stored together: neighbours share cache lines.
#define STORE_ROWS 32

// The rows of sequences with many tiles, whose tasks read each other's keys.
static void store_rows(struct weft_decoder* d, struct walk* walk, int64_t layer) {
  const struct weft_step* step = d->step;
  int64_t heads = d->config.kv_heads, group = d->config.heads / heads, end;
  int64_t length = blocks_per_stretch(step->rows) * (BLOCK_ROWS / STORE_ROWS) * heads;
  phase_begin(walk);
  int64_t count = divide_up(step->rows, STORE_ROWS) * heads;
  for (int64_t item; (item = phase_take_near(walk, count, length, 1, &end)) >= 0;) {
    int64_t first = item / heads * STORE_ROWS, until = min64(step->rows, first + STORE_ROWS);
    for (int64_t row = first; row < until; row++) {
      int64_t sequence = sequence_of(step, row);
      int64_t rows = step->row_offsets[sequence + 1] - step->row_offsets[sequence];
      if (rows * group <= TILE_ROWS) continue;
      store_row(d, walk, layer, sequence, row, item % heads, scratch_of(d, walk));
    }
  }
  phase_end(walk);
}

static void store_split(
    const struct weft_decoder* d, const struct walk* walk, int64_t layer,
    const struct attention_task* task, float* scratch) {
  const struct weft_step* step = d->step;
  int64_t tokens = d->config.block_tokens;
  for (int64_t row = step->row_offsets[task->sequence];
       row < step->row_offsets[task->sequence + 1]; row++) {
    int64_t block = step->positions[row] / tokens;
    if (block < task->first_block || block >= task->end_block) continue;
    store_row(d, walk, layer, task->sequence, row, task->kv_head, scratch);
  }
}

static float* output_of(const struct weft_decoder* d, const struct attention_task* task, int64_t i) {
  int64_t group = d->config.heads / d->config.kv_heads, query = task->first_query + i;
  int64_t row = d->step->row_offsets[task->sequence] + query / group;
  return d->attention + row * query_width(d) +
      (task->kv_head * group + query % group) * d->config.head_size;
}

// Merges the splits of a tile, in their order.
static void join_splits(
    struct weft_decoder* d, const struct walk* walk, const struct attention_task* task) {
  int64_t floats = partial_floats(d), padded = d->kv.padded_head_size;
  float* into = task->partial - task->split * floats;
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

// Turned and scaled queries, transposed.
static void load_queries(
    const struct weft_decoder* d, const struct walk* walk, const struct attention_task* task,
    int64_t* first, int64_t* last, float* q, float* head) {
  const struct weft_decoder_config* c = &d->config;
  int64_t group = c->heads / c->kv_heads, rows = tile_rows(task->queries), size = c->head_size;
  float scale = (float)(1 / sqrt((double)size));
  for (int64_t i = 0; i < rows; i++) {
    int64_t query = task->first_query + min64(i, task->queries - 1);
    int64_t row = d->step->row_offsets[task->sequence] + query / group;
    last[i] = d->step->positions[row];
    first[i] = first_key(d, last[i]);
    turn(d, walk, row,
        d->qkv + row * qkv_width(d) + (task->kv_head * group + query % group) * size, head);
    for (int64_t e = 0; e < size; e++) q[e * rows + i] = i < task->queries ? head[e] * scale : 0;
  }
}

static void attend_task(
    struct weft_decoder* d, struct walk* walk, int64_t layer, const struct attention_task* task) {
  const struct weft_decoder_config* c = &d->config;
  int64_t* first = (int64_t*)scratch_of(d, walk);
  int64_t* last = first + TILE_ROWS;
  float* q = (float*)(last + TILE_ROWS);
  float* head = q + TILE_ROWS * c->head_size;
  float* partial = task->partial ? task->partial : head + c->head_size;
  float* scores = head + c->head_size + partial_floats(d);
  if (task->stores) store_split(d, walk, layer, task, head);
  load_queries(d, walk, task, first, last, q, head);
  memset(partial, 0, (size_t)partial_floats(d) * sizeof(float));
  for (int64_t i = 0; i < TILE_ROWS; i++) partial[i] = -INFINITY;
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
  if (task->partial) {
    // The last one to finish sees what all the others wrote.
    atomic_int* join = &d->joins[task->join];
    if (atomic_fetch_add(join, 1) + 1 < task->splits) return;
    atomic_store(join, 0);
    join_splits(d, walk, task);
    return;
  }
  for (int64_t i = 0; i < task->queries; i++) {
    walk->kernels->finish(tile.out + i * d->kv.padded_head_size, tile.total[i], c->head_size,
        output_of(d, task, i));
  }
}

void decoder_attend(struct weft_decoder* d, struct walk* walk, int64_t layer) {
  int64_t end, blocks = divide_up(d->step->rows, BLOCK_ROWS);
  int64_t stretches = divide_up(blocks, blocks_per_stretch(d->step->rows));
  if (d->rows_to_store > 0) store_rows(d, walk, layer);
  phase_begin(walk);
  int64_t length = divide_up(d->task_count, stretches);
  for (int64_t i; (i = phase_take_near(walk, d->task_count, length, 1, &end)) >= 0;) {
    attend_task(d, walk, layer, &d->tasks[i]);
  }
  phase_end(walk);
}
