// A device: its kernels and its team of workers.
#ifndef DEVICE_H
#define DEVICE_H

#include <stdatomic.h>
#include <stdint.h>

#include "kernels.h"
#include "weft.h"

// Bytes between what two threads write, so that they share no cache line.
#define APART 64

struct weft_device {
  const struct kernels* kernels;
  struct kernels table;  // what `kernels` points to
  int32_t threads;
  int32_t spins;
  int32_t cpu_count;
  int32_t* cpus;
  int started;
  struct worker* workers;
  // The running task, and its number: a new number wakes the team.
  void (*task)(void* context, int32_t worker);
  void* context;
  _Alignas(APART) atomic_uint task_number;
  _Alignas(APART) atomic_uint arrived;
  _Alignas(APART) atomic_uint barrier_number;
  _Alignas(APART) atomic_uint sleepers;
  _Alignas(APART) atomic_long cursor[2];
  int stopping;
};

// Runs a task on every worker; the caller is worker 0. Tasks call the functions below in the same
// order on every worker.
void device_run(struct weft_device* device, void (*task)(void*, int32_t), void* context);

// Waits until every worker is here.
void device_barrier(struct weft_device* device);

// Shares out items 0..count-1 among the workers in runs: the next run's start, or -1 at the end; its
// end goes to `end`. `which` (0 or 1) must alternate between sharings that follow one another; a
// barrier lies between them.
int64_t device_take(
    struct weft_device* device, int which, int64_t count, int64_t run, int64_t* end);

// Makes the sharing `which` start anew; by one worker, with a barrier before the next use.
void device_rewind(struct weft_device* device, int which);

#endif
