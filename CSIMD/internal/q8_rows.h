// SPDX-License-Identifier: Apache-2.0
// How a tile of int8 activations is addressed.
#ifndef CSIMD_INTERNAL_Q8_ROWS_H
#define CSIMD_INTERNAL_Q8_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "region.h"

/// Up to twelve rows `stride` bytes apart as four pointers to every third row, whose relation is
/// hidden from the compiler. Knowing it, the compiler chains twelve additions in every step and
/// spills; not knowing it, it finds addressing that costs nothing (54 → 81 % of peak).
typedef struct q8_rows {
  const int8_t *base[4];
  size_t stride;
} q8_rows;

CSIMD_INLINE q8_rows q8_rows_at(const int8_t *a, size_t stride, const int rows) {
  q8_rows result = {.stride = stride};
  CSIMD_UNROLL
  for (int b = 0; 3 * b < rows; b++) {
    result.base[b] = a + (size_t)(3 * b) * stride;
    __asm__("" : "+r"(result.base[b]));
  }
  return result;
}

CSIMD_INLINE void q8_rows_advance(q8_rows *a, size_t bytes, const int rows) {
  CSIMD_UNROLL
  for (int b = 0; 3 * b < rows; b++) {
    a->base[b] += bytes;
  }
}

/// Four consecutive codes of row `i` as one word.
CSIMD_INLINE int32_t q8_quad(const q8_rows *a, const int i, size_t offset) {
  int32_t quad;
  __builtin_memcpy(&quad, a->base[i / 3] + (size_t)(i % 3) * a->stride + offset, sizeof quad);
  return quad;
}

/// Keeps loads of the next step out of this one, where registers are full.
#define CSIMD_STEP_END __asm__ volatile("" ::: "memory")

#endif
