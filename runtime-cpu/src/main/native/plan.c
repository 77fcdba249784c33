#define _GNU_SOURCE
#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void* carve(struct carver* carver, int64_t bytes) {
  int64_t at = carver->used;
  carver->used += divide_up(bytes, APART) * APART;
  return carver->base ? carver->base + at : NULL;
}

void* map_memory(int64_t bytes) {
  void* memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

void unmap_memory(void* memory, int64_t bytes) {
  if (memory) munmap(memory, (size_t)bytes);
}

static int uses_form(const struct kernels* kernels, enum form form) {
  return form == FORM_GROUPS || form == FORM_FLOATS || form == kernels->bf16_form ||
      form == kernels->wide_form;
}

void carve_activations(
    struct carver* carver, const struct weft_device* device, int64_t rows, int64_t inputs,
    struct activations* out) {
  int64_t groups = divide_up(inputs, GROUP);
  int64_t tiled_rows = divide_up(rows, TILE_ROWS) * TILE_ROWS;
  for (int form = 0; form < FORM_COUNT; form++) {
    if (!uses_form(device->kernels, (enum form)form)) continue;
    int64_t bytes = row_bytes((enum form)form, groups);
    out->own_bytes[form] = divide_up(FEW_ROWS * bytes + TILE_SLACK, APART) * APART;
    out->shared[form] = carve(carver, tiled_rows * bytes + TILE_SLACK);
    out->own[form] = carve(carver, device->threads * out->own_bytes[form]);
  }
}

void phase_begin(struct walk* walk) {
  walk->phase ^= 1;
  walk->stretches_done = 0;
  // The other cursor's phase is over: the barrier at its end has passed.
  if (walk->worker == 0) device_rewind(walk->device, walk->phase ^ 1);
}

int64_t phase_take(struct walk* walk, int64_t count, int64_t run, int64_t* end) {
  return device_take(walk->device, walk->phase, 0, count, run, end);
}

int64_t phase_take_near(
    struct walk* walk, int64_t count, int64_t length, int64_t run, int64_t* end) {
  int64_t stretches = divide_up(count, length);
  for (; walk->stretches_done < stretches; walk->stretches_done++) {
    int64_t home = walk->worker * stretches / walk->device->active;
    int64_t stretch = (home + walk->stretches_done) % stretches, first = stretch * length;
    int64_t left = count - first, own = left < length ? left : length;
    int64_t start = device_take(walk->device, walk->phase, stretch, own, run, end);
    if (start < 0) continue;
    *end += first;
    return start + first;
  }
  return -1;
}

int64_t blocks_per_stretch(int64_t rows) {
  return divide_up(divide_up(rows, BLOCK_ROWS), MOST_STRETCHES);
}

void phase_end(struct walk* walk) { device_barrier(walk->device); }

static unsigned forms_of(const struct walk* walk, const struct matmul* jobs, int count) {
  unsigned forms = 0;
  for (int i = 0; i < count; i++) {
    forms |= 1u << form_of(walk->kernels, jobs[i].matrix->kind);
    if (jobs[i].up) forms |= 1u << form_of(walk->kernels, jobs[i].up->kind);
  }
  return forms;
}

static const float* source_row(
    struct walk* walk, const struct source* source, int64_t row) {
  const float* x = source->x + (source->index ? source->index[row] : row) * source->stride;
  if (!source->norm) return x;
  float* out = source->scratch + walk->worker * divide_up(source->inputs, PANEL) * PANEL;
  walk->kernels->rms_norm(x, source->norm, source->epsilon, source->inputs, out);
  return out;
}

// Fills rows first..end-1, and at the end of all rows the last tile's padding.
static void prepare_rows(
    struct walk* walk, const struct source* source, unsigned forms, uint8_t* const* tiles,
    int64_t first, int64_t end) {
  int64_t groups = divide_up(source->inputs, GROUP);
  for (int64_t row = first; row < end; row++) {
    const float* x = source_row(walk, source, row);
    int64_t start = row / TILE_ROWS * TILE_ROWS, left = source->rows - start;
    int64_t rows = tile_rows(left < TILE_ROWS ? left : TILE_ROWS);
    for (int form = 0; form < FORM_COUNT; form++) {
      if (!(forms >> form & 1)) continue;
      uint8_t* tile = tiles[form] + tile_offset((enum form)form, groups, start);
      walk->kernels->quantize(
          (enum form)form, x, source->inputs, groups, tile, rows, row - start);
      if (row < source->rows - 1) continue;
      for (int64_t pad = row - start + 1; pad < rows; pad++) {
        walk->kernels->quantize((enum form)form, NULL, source->inputs, groups, tile, rows, pad);
      }
    }
  }
}

// Panels that lie together for a worker, so that it reads on in memory from run to run; of even
// length, as panels go by twos and fours. Where there are many workers each takes little: all share.
static int64_t panels_per_stretch(const struct walk* walk, int64_t panels) {
  int64_t workers = walk->device->active;
  return workers > MOST_STRETCHES ? panels : divide_up(divide_up(panels, workers), 2) * 2;
}

static int64_t panels_of(const struct matmul* jobs, int count) {
  int64_t panels = 0;
  for (int i = 0; i < count; i++) panels += jobs[i].matrix->panels;
  return panels;
}

static void prefetch_panels(const struct weft_matrix* matrix, int64_t first) {
  int64_t end = first + 4 < matrix->panels ? first + 4 : matrix->panels;
  int64_t bytes = AHEAD < matrix->panel_bytes ? AHEAD : matrix->panel_bytes;
  for (int64_t panel = first; panel < end; panel++) {
    const uint8_t* at = matrix->data + panel * matrix->panel_bytes;
    for (int64_t i = 0; i < bytes; i += APART) __builtin_prefetch(at + i);
  }
}

// Asks for the beginnings of the panels that a worker takes first, of few rows' products.
static void prefetch_first(const struct walk* walk, const struct matmul* jobs, int count) {
  int64_t panels = panels_of(jobs, count), length = panels_per_stretch(walk, panels);
  int64_t stretches = divide_up(panels, length);
  if (stretches == 1) return;
  int64_t panel = walk->worker * stretches / walk->device->active * length;
  while (panel >= jobs->matrix->panels) panel -= (jobs++)->matrix->panels;
  prefetch_panels(jobs->matrix, panel);
  if (jobs->up) prefetch_panels(jobs->up, panel);
}

void prepare(
    struct walk* walk, const struct activations* activations, const struct source* source,
    struct matmul* jobs, int count) {
  unsigned forms = forms_of(walk, jobs, count);
  uint8_t* tiles[FORM_COUNT];
  int few = source->rows <= FEW_ROWS;
  for (int form = 0; form < FORM_COUNT; form++) {
    tiles[form] = few ? activations->own[form] + walk->worker * activations->own_bytes[form]
                      : activations->shared[form];
    for (int i = 0; i < count; i++) jobs[i].x[form] = tiles[form];
  }
  for (int i = 0; i < count; i++) jobs[i].rows = source->rows;
  if (few) {
    prefetch_first(walk, jobs, count);
    prepare_rows(walk, source, forms, tiles, 0, source->rows);
    return;
  }
  phase_begin(walk);
  int64_t end, length = blocks_per_stretch(source->rows) * BLOCK_ROWS;
  for (int64_t row; (row = phase_take_near(walk, source->rows, length, 4, &end)) >= 0;) {
    prepare_rows(walk, source, forms, tiles, row, end);
  }
  phase_end(walk);
}

// Several runs a worker, so that one that is held up leaves its share to the others; whole fours
// where there is enough for it, since few rows go by four panels at once.
static int64_t panels_a_run(const struct walk* walk, const struct matmul* jobs, int64_t items) {
  int64_t workers = walk->device->active, run = items / (workers * 6);
  int fours = jobs[0].rows <= FOUR_PANELS_ROWS && items >= workers * 8;
  if (fours) run = divide_up(run, 4) * 4;
  return run < 1 ? 1 : run > 64 ? 64 : run;
}

// Rows of one block of the panels panel..end-1 of all jobs, one job after the other.
static void multiply_panels(
    struct walk* walk, const struct matmul* jobs, int64_t row, int64_t panel, int64_t end) {
  for (const struct matmul* job = jobs; panel < end; job++) {
    int64_t own = job->matrix->panels, until = end < own ? end : own;
    int64_t left = job->rows - row, rows = left < BLOCK_ROWS ? left : BLOCK_ROWS;
    if (panel < until) {
      walk->kernels->matmul(job, panel, until, row, row + rows);
      panel = until;
    }
    panel -= own;
    end -= own;
  }
}

void multiply(struct walk* walk, struct matmul* jobs, int count) {
  int64_t panels = panels_of(jobs, count), blocks = divide_up(jobs[0].rows, BLOCK_ROWS);
  int64_t run = panels_a_run(walk, jobs, panels * blocks), end;
  int64_t length = blocks > 1 ? blocks_per_stretch(jobs[0].rows) * panels
                              : panels_per_stretch(walk, panels);
  phase_begin(walk);
  for (int64_t item; (item = phase_take_near(walk, panels * blocks, length, run, &end)) >= 0;) {
    while (item < end) {
      int64_t block = item / panels, first = item % panels;
      int64_t until = end - block * panels < panels ? end - block * panels : panels;
      multiply_panels(walk, jobs, block * BLOCK_ROWS, first, until);
      item += until - first;
    }
  }
  phase_end(walk);
}

struct product {
  struct weft_device* device;
  struct activations activations;
  struct source source;
  struct matmul job;
};

static void run_product(void* context, int32_t worker) {
  struct product* product = context;
  struct walk walk = walk_start(product->device, worker);
  struct matmul job = product->job;
  prepare(&walk, &product->activations, &product->source, &job, 1);
  multiply(&walk, &job, 1);
}

int32_t weft_matmul(
    struct weft_device* device, const struct weft_matrix* matrix, const float* x, int64_t rows,
    float* y) {
  struct product product = {.device = device,
      .source = {.x = x, .stride = matrix->inputs, .rows = rows, .inputs = matrix->inputs},
      .job = {.matrix = matrix, .y = y, .stride = matrix->outputs}};
  struct carver carver = {0};
  carve_activations(&carver, device, rows, matrix->inputs, &product.activations);
  carver.base = map_memory(carver.used);
  if (!carver.base) return -1;
  int64_t bytes = carver.used;
  carver.used = 0;
  carve_activations(&carver, device, rows, matrix->inputs, &product.activations);
  device_run(device, device->threads, run_product, &product);
  unmap_memory(carver.base, bytes);
  return 0;
}
