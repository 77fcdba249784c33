// What the system is asked for beside computing.
#include <sys/mman.h>
#include <sys/resource.h>

#include "weft.h"

#define UNHURRIED_NICE 10

void weft_unhurried(void) {
  // On Linux this is the calling thread, not the process.
  setpriority(PRIO_PROCESS, 0, UNHURRIED_NICE);
}

void weft_map_huge(const void* at, int64_t bytes) {
  madvise((void*)(uintptr_t)at, (size_t)bytes, MADV_HUGEPAGE);
}

void weft_will_need(const void* at, int64_t bytes) {
  madvise((void*)(uintptr_t)at, (size_t)bytes, MADV_WILLNEED);
}
