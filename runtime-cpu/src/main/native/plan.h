// What decoder and encoder steps share: scratch, activations in tiles, matrix products by the team.
#ifndef PLAN_H
#define PLAN_H

#include "device.h"

// Up to so many rows every worker prepares activations for itself: less work than a barrier.
#define FEW_ROWS 4

// Activations in tiles: one copy for the team, and a small one for each worker.
struct activations {
  uint8_t* shared[FORM_COUNT];
  uint8_t* own[FORM_COUNT];  // worker i's at i * own_bytes[form]
  int64_t own_bytes[FORM_COUNT];
};

// One worker's way through a step. Every worker takes the same phases.
struct walk {
  struct weft_device* device;
  const struct kernels* kernels;
  int32_t worker;
  int phase;
  int64_t stretches_done;  // of the phase
};

static inline struct walk walk_start(struct weft_device* device, int32_t worker) {
  return (struct walk){.device = device, .kernels = device->kernels, .worker = worker};
}

// Memory of a plan: one mapping, carved up twice, first to measure and then to hand out.
struct carver {
  uint8_t* base;  // null while measuring
  int64_t used;
};

void* carve(struct carver* carver, int64_t bytes);
void* map_memory(int64_t bytes);
void unmap_memory(void* memory, int64_t bytes);

// Room for `rows` rows of up to `inputs` inputs.
void carve_activations(
    struct carver* carver, const struct weft_device* device, int64_t rows, int64_t inputs,
    struct activations* out);

// Begins a shared phase, then hands out its items; see device_take.
void phase_begin(struct walk* walk);
int64_t phase_take(struct walk* walk, int64_t count, int64_t run, int64_t* end);

// As phase_take, of items in stretches of `length`. A worker begins with the stretch of its place in
// the team, which holds the same rows in every phase: much of what it reads there it wrote itself.
// Then it helps with the others.
int64_t phase_take_near(
    struct walk* walk, int64_t count, int64_t length, int64_t run, int64_t* end);

// Blocks of rows in a stretch of a product.
int64_t blocks_per_stretch(int64_t rows);
void phase_end(struct walk* walk);

// Rows for a product: row i is at x + index[i] * stride (index may be null: i). When `norm` is not
// null it is applied first, with room for a row in `scratch` (a row a worker).
struct source {
  const float* x;
  int64_t stride, rows, inputs;
  const int32_t* index;
  const float* norm;
  double epsilon;
  float* scratch;
};

// Puts the rows into the forms that the jobs' matrices need, and points the jobs at them.
void prepare(
    struct walk* walk, const struct activations* activations, const struct source* source,
    struct matmul* jobs, int count);

// Runs the jobs, as one phase; ends with a barrier.
void multiply(struct walk* walk, struct matmul* jobs, int count);

#endif
