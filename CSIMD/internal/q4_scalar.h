// SPDX-License-Identifier: Apache-2.0
// The reference product of one row of int8 activations with one row of packed int4 weights.
#ifndef CSIMD_INTERNAL_Q4_SCALAR_H
#define CSIMD_INTERNAL_Q4_SCALAR_H

#include "q4_panel.h"
#include "scalar_math.h"

/// Σ over blocks of (sa · sw) · Σ a · (code - 8) · factor; the inner sum is exact.
static inline float csimd_q4_dot(const int8_t *codes,
                                 const float *scales,
                                 const csimd_q4_weights *w,
                                 size_t n) {
  size_t row = n % CSIMD_Q4_ROWS;
  float total = 0;
  for (size_t b = 0; b < csimd_q4_blocks(w->k); b++) {
    const uint8_t *block = csimd_q4_block(w->panels, n, b * CSIMD_Q4_BLOCK, w->k);
    uint32_t word = csimd_q4_word(block, row);
    int32_t sum = 0;
    for (size_t k = 0; k < CSIMD_Q4_BLOCK; k++) {
      int32_t factor = csimd_q4_factor(word, k / CSIMD_Q4_GROUP);
      sum += codes[b * CSIMD_Q4_BLOCK + k] * csimd_q4_code(block, row, k) * factor;
    }
    total = csimd_fma((float)sum, scales[b] * csimd_q4_scale(word), total);
  }
  return total;
}

#endif
