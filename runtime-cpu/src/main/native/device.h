// A device: its kernels and its team of workers.
#ifndef DEVICE_H
#define DEVICE_H

#include <stdatomic.h>
#include <stdint.h>

#include "kernels.h"
#include "weft.h"

// Bytes between what two threads write, so that they share no cache line.
#define APART 64

// The most stretches of a sharing.
#define MOST_STRETCHES 8

// How far a stretch has been handed out.
struct cursor {
  _Alignas(APART) atomic_long at;
};

// A number that threads wait on; each time it changes, its sleepers wake.
struct signal {
  _Alignas(APART) atomic_uint number;
  _Alignas(APART) atomic_uint sleepers;
};

struct weft_device {
  const struct kernels* kernels;
  struct kernels table;  // what `kernels` points to
  int32_t threads;
  int32_t spins;
  struct worker* workers;
  // The running task, and how many workers run it.
  void (*task)(void* context, int32_t worker);
  void* context;
  int32_t active;
  struct signal* starts;  // [threads]: wakes one worker
  struct signal barrier;
  _Alignas(APART) atomic_uint arrived;
  struct cursor cursors[2][MOST_STRETCHES];
  int stopping;
};

// Runs a task on the first `workers` workers; the caller is worker 0. Tasks call the functions below
// in the same order on every worker.
void device_run(
    struct weft_device* device, int32_t workers, void (*task)(void*, int32_t), void* context);

// Waits until every worker of the task is here.
void device_barrier(struct weft_device* device);

// Shares out items 0..count-1 of a stretch among the workers in runs: the next run's start, or -1 at
// the end; its end goes to `end`. `which` (0 or 1) must alternate between sharings that follow one
// another; a barrier lies between them.
int64_t device_take(
    struct weft_device* device, int which, int64_t stretch, int64_t count, int64_t run,
    int64_t* end);

// Makes the sharing `which` start anew; by one worker, with a barrier before the next use.
void device_rewind(struct weft_device* device, int which);

#endif
