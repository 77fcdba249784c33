#define _GNU_SOURCE
#include "device.h"

#include <cpuid.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct worker {
  struct weft_device* device;
  pthread_t thread;
  int32_t index;
};

int32_t weft_abi(void) { return WEFT_ABI; }

// What the operating system saves on a context switch: AVX state is bits 1 and 2, AVX-512 5 to 7.
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

// Bits of cpuid's leaf 7 in edx.
#define AMX_BF16 (1u << 22)
#define AMX_TILE (1u << 24)
#define AMX_INT8 (1u << 25)

// Of its second part in eax.
#define AVX512_BF16 (1u << 5)

// Asks the operating system, for the whole process (asm/prctl.h).
static int may_use_tiles(void) {
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

int32_t weft_isa(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return WEFT_ISA_NONE;
  int base = (c & bit_FMA) && (c & bit_F16C) && (c & bit_AVX) && (c & bit_OSXSAVE);
  if (!base || (saved_state() & 6) != 6) return WEFT_ISA_NONE;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return WEFT_ISA_NONE;
  int wide = (b & bit_AVX512F) && (b & bit_AVX512BW) && (b & bit_AVX512VL) && (b & bit_AVX512DQ) &&
      (c & bit_AVX512VNNI) && (saved_state() & 0xe6) == 0xe6;
  int tiles = (d & AMX_BF16) && (d & AMX_TILE) && (d & AMX_INT8);
  if (!wide) return WEFT_ISA_AVX2;
  int pairs = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & AVX512_BF16);
  if (!pairs) return WEFT_ISA_AVX512_VNNI;
  return tiles && may_use_tiles() ? WEFT_ISA_AMX : WEFT_ISA_AVX512_BF16;
}

static void futex_wait(atomic_uint* word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(atomic_uint* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

// Spins, then parks, until the signal's number is no longer `value`.
static void await_change(struct weft_device* device, struct signal* signal, uint32_t value) {
  for (int32_t i = 0; i < device->spins; i++) {
    if (atomic_load_explicit(&signal->number, memory_order_acquire) != value) return;
    _mm_pause();
  }
  // A waker that changes the number after this sees the sleeper; one before it is seen by the futex.
  atomic_fetch_add(&signal->sleepers, 1);
  while (atomic_load(&signal->number) == value) futex_wait(&signal->number, value);
  atomic_fetch_sub(&signal->sleepers, 1);
}

static void change(struct signal* signal) {
  atomic_fetch_add(&signal->number, 1);
  if (atomic_load(&signal->sleepers) > 0) futex_wake_all(&signal->number);
}

void device_barrier(struct weft_device* device) {
  if (device->active == 1) return;
  uint32_t number = atomic_load_explicit(&device->barrier.number, memory_order_relaxed);
  if (atomic_fetch_add(&device->arrived, 1) + 1 == (uint32_t)device->active) {
    atomic_store_explicit(&device->arrived, 0, memory_order_relaxed);
    change(&device->barrier);
  } else {
    await_change(device, &device->barrier, number);
  }
}

int64_t device_take(
    struct weft_device* device, int which, int64_t stretch, int64_t count, int64_t run,
    int64_t* end) {
  atomic_long* cursor = &device->cursors[which][stretch].at;
  int64_t start = atomic_fetch_add_explicit(cursor, run, memory_order_relaxed);
  if (start >= count) return -1;
  *end = start + run < count ? start + run : count;
  return start;
}

void device_rewind(struct weft_device* device, int which) {
  for (int i = 0; i < MOST_STRETCHES; i++) {
    atomic_store_explicit(&device->cursors[which][i].at, 0, memory_order_relaxed);
  }
}

static void* work(void* argument) {
  struct worker* worker = argument;
  struct weft_device* device = worker->device;
  uint32_t number = 0;
  char name[16];
  snprintf(name, sizeof(name), "weft-cpu-%d", worker->index % 1000);
  pthread_setname_np(pthread_self(), name);
  for (;;) {
    await_change(device, &device->starts[worker->index], number);
    number++;
    if (device->stopping) return NULL;
    device->task(device->context, worker->index);
    device_barrier(device);
  }
}

void device_run(
    struct weft_device* device, int32_t workers, void (*task)(void*, int32_t), void* context) {
  device_rewind(device, 0);
  device_rewind(device, 1);
  device->task = task;
  device->context = context;
  device->active = workers;
  for (int32_t i = 1; i < workers; i++) change(&device->starts[i]);
  task(context, 0);
  device_barrier(device);
}

// 0 when there are none.
static int find_kernels(int32_t isa, struct kernels* out) {
  switch (isa) {
    case WEFT_ISA_AVX2: *out = weft_kernels_avx2; return 1;
    case WEFT_ISA_AVX512_VNNI: *out = weft_kernels_avx512; return 1;
    case WEFT_ISA_AVX512_BF16: *out = weft_kernels_avx512_bf16; return 1;
    case WEFT_ISA_AMX:
      *out = weft_kernels_avx512;
      out->name = "amx";
      out->matmul = weft_amx_matmul;
      out->bf16_form = FORM_PAIRS;
      return 1;
    default: return 0;
  }
}

struct weft_device* weft_device_open(int32_t isa, int32_t threads, int32_t spins) {
  if (isa > weft_isa() || threads < 1) return NULL;
  struct weft_device* device = aligned_alloc(APART, sizeof(*device));
  if (!device) return NULL;
  memset(device, 0, sizeof(*device));
  if (!find_kernels(isa, &device->table)) {
    free(device);
    return NULL;
  }
  device->kernels = &device->table;
  device->spins = spins;
  device->workers = calloc((size_t)threads, sizeof(struct worker));
  size_t signals = (size_t)threads * sizeof(struct signal);
  device->starts = aligned_alloc(APART, signals);
  device->threads = 1;
  if (!device->workers || !device->starts) {
    weft_device_close(device);
    return NULL;
  }
  memset(device->starts, 0, signals);
  for (int32_t i = 1; i < threads; i++) {
    device->workers[i] = (struct worker){.device = device, .index = i};
    if (pthread_create(&device->workers[i].thread, NULL, work, &device->workers[i])) {
      weft_device_close(device);
      return NULL;
    }
    device->threads = i + 1;
  }
  return device;
}

void weft_device_close(struct weft_device* device) {
  if (!device) return;
  device->stopping = 1;
  for (int32_t i = 1; i < device->threads; i++) change(&device->starts[i]);
  for (int32_t i = 1; i < device->threads; i++) pthread_join(device->workers[i].thread, NULL);
  free(device->workers);
  free(device->starts);
  free(device);
}
