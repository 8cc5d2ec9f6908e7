// SPDX-License-Identifier: Apache-2.0
// How often the allocator has been called, where it keeps count.
#include "../include/csimd_limits.h"

#if defined(__linux__)

#include <malloc.h>

// jemalloc's control function; null unless the program was linked with jemalloc.
extern int mallctl(const char *name,
                   void *old,
                   size_t *old_size,
                   const void *new_value,
                   size_t new_size) __attribute__((weak));

static bool control(const char *name, uint64_t *value) {
  size_t size = sizeof(*value);
  return mallctl(name, value, &size, NULL, 0) == 0 && size == sizeof(*value);
}

bool csimd_heap_allocations(uint64_t *count) {
  if (!mallctl) {
    return false;
  }
  // A thread's cache counts for itself until it is flushed: this thread's calls are counted
  // exactly, those of others as of their last flush. The flush fails where there is no cache to
  // count.
  (void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
  // Statistics are a snapshot that a new epoch takes; 4096 stands for all arenas merged.
  uint64_t epoch = 1;
  if (mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) != 0) {
    return false;
  }
  uint64_t small, large;
  if (!control("stats.arenas.4096.small.nrequests", &small) ||
      !control("stats.arenas.4096.large.nrequests", &large)) {
    return false;
  }
  *count = small + large;
  return true;
}

uint64_t csimd_heap_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return (uint64_t)info.uordblks + (uint64_t)info.hblkhd;
}

#else

bool csimd_heap_allocations(uint64_t *count) {
  (void)count;
  return false;
}

uint64_t csimd_heap_bytes(void) {
  return 0;
}

#endif
