// SPDX-License-Identifier: Apache-2.0
// Products with packed int4 blocks by SDOT: after vec_neondot.h.
#ifndef CSIMD_INTERNAL_Q4_NEONDOT_H
#define CSIMD_INTERNAL_Q4_NEONDOT_H

#include "q4_neon.h"
#include "vec_neondot.h"

CSIMD_REGION_NEONDOT

/// Adds factor · Σ a · (code - 8) over one group to the sums of rows 0 … 15 and 16 … 31.
///
/// A code is no more than 15, so it is its own signed byte; -8 · Σ a is where all rows start.
CSIMD_INLINE void q4_add_group(
    v16i sum[2], const uint8_t *codes, const int8_t *a, const v16i words[2], const int group) {
  const int8x16_t zero = vdupq_n_s8(-CSIMD_Q4_ZERO);
  const uint8x16_t mask = vdupq_n_u8(15);
  int32x4_t surplus = vdotq_s32(vdupq_n_s32(0), vld1q_s8(a), zero);
  surplus = vdotq_s32(surplus, vld1q_s8(a + 16), zero);
  v16i value[2] = {v16i_set(vaddvq_s32(surplus)), v16i_set(vaddvq_s32(surplus))};
  CSIMD_UNROLL
  for (int quad = 0; quad < CSIMD_Q4_GROUP / CSIMD_Q4_QUAD; quad++) {
    int8x16_t inputs = q4_quad(a + CSIMD_Q4_QUAD * quad);
    CSIMD_UNROLL
    for (int part = 0; part < 4; part++) {
      uint8x16_t x = vld1q_u8(codes + CSIMD_Q4_LINE * quad + 16 * part);
      int8x16_t low = vreinterpretq_s8_u8(vandq_u8(x, mask));
      int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(x, 4));
      value[0].q[part] = vdotq_s32(value[0].q[part], low, inputs);
      value[1].q[part] = vdotq_s32(value[1].q[part], high, inputs);
    }
  }
  CSIMD_UNROLL
  for (int half = 0; half < 2; half++) {
    CSIMD_UNROLL
    for (int part = 0; part < 4; part++) {
      int32x4_t factor = q4_factors4(words[half].q[part], group);
      sum[half].q[part] = vmlaq_s32(sum[half].q[part], value[half].q[part], factor);
    }
  }
}

CSIMD_REGION_END

#endif
