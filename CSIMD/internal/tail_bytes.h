// SPDX-License-Identifier: Apache-2.0
// The end of a row of short elements, where a level has no masks for them.
#ifndef CSIMD_INTERNAL_TAIL_BYTES_H
#define CSIMD_INTERNAL_TAIL_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "region.h"

/// The first n < 8 bytes, the others are 0: a load for each bit of n, where a copy through a buffer
/// would be a call.
CSIMD_INLINE uint64_t csimd_tail_bytes(const void *p, size_t n) {
  const uint8_t *at = p;
  uint64_t bytes = 0;
  if (n & 4) {
    uint32_t four;
    __builtin_memcpy(&four, at, 4);
    bytes = four;
  }
  if (n & 2) {
    uint16_t two;
    __builtin_memcpy(&two, at + (n & 4), 2);
    bytes |= (uint64_t)two << 8 * (n & 4);
  }
  if (n & 1) {
    bytes |= (uint64_t)at[n & 6] << 8 * (n & 6);
  }
  return bytes;
}

#endif
