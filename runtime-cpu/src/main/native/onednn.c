// Many rows through oneDNN: each worker multiplies its slice of the outputs, with an OpenMP team of
// one, so that the device's workers are its only team.
#include "plan.h"

#define FEWEST_ROWS 32

static const int64_t BUCKET_ROWS[WEFT_BUCKETS] = {32, 64, 128, 256};

// dnnl_exec_arg_t, and the arguments of a matmul with a scratchpad of the caller (dnnl_types.h).
struct argument {
  int32_t index;
  void* memory;
};
enum { SOURCE = 1, DESTINATION = 17, WEIGHTS = 33, SCRATCHPAD = 80 };

static int usable(const struct weft_onednn* onednn) {
  return onednn && onednn->slices[0].buckets[0].primitive;
}

int64_t dense_rows(const struct matmul* job, int64_t rows) {
  if (rows < FEWEST_ROWS || !usable(job->matrix->onednn)) return 0;
  if (job->up && (!usable(job->up->onednn) || job->up->kind != job->matrix->kind)) return 0;
  return rows / FEWEST_ROWS * FEWEST_ROWS;
}

// The largest bucket that `rows` fill.
static int bucket_of(const struct weft_onednn_slice* slice, int64_t rows) {
  int bucket = WEFT_BUCKETS - 1;
  while (bucket > 0 && (BUCKET_ROWS[bucket] > rows || !slice->buckets[bucket].primitive)) bucket--;
  return bucket;
}

static void execute(
    struct weft_device* device, const struct weft_onednn* onednn, const struct weft_onednn_slice* slice, int bucket,
    const void* source, void* out) {
  void* from = slice->buckets[bucket].source;
  void* to = slice->buckets[bucket].destination;
  onednn->set_data_handle(from, (void*)(uintptr_t)source);
  onednn->set_data_handle(to, out);
  struct argument arguments[] = {{SOURCE, from}, {WEIGHTS, slice->weights}, {DESTINATION, to},
      {SCRATCHPAD, slice->buckets[bucket].scratchpad}};
  int32_t status =
      onednn->execute(slice->buckets[bucket].primitive, slice->stream, 4, arguments);
  if (status != 0) atomic_store(&device->failed, 1);
}

void multiply_dense(struct walk* walk, const struct matmul* job, int64_t rows) {
  static _Thread_local int alone = 0;
  const struct weft_onednn* onednn = job->matrix->onednn;
  if (walk->worker >= onednn->slice_count) return;
  if (!alone) {
    onednn->set_threads(1);
    alone = 1;
  }
  const struct weft_onednn_slice* slice = &onednn->slices[walk->worker];
  enum form form = dense_form_of(job->matrix->kind);
  int64_t step = job->matrix->groups * row_bytes(form);
  for (int64_t row = 0; row < rows;) {
    int bucket = bucket_of(slice, rows - row);
    const uint8_t* source = job->x[form] + row * step;
    execute(walk->device, onednn, slice, bucket, source, slice->out[0]);
    if (job->up) {
      execute(walk->device, job->up->onednn, &job->up->onednn->slices[walk->worker], bucket,
          source, slice->out[1]);
    }
    walk->kernels->finish_dense(job, slice->out[0], slice->out[1], slice->count, slice->first, row,
        BUCKET_ROWS[bucket]);
    row += BUCKET_ROWS[bucket];
  }
}
