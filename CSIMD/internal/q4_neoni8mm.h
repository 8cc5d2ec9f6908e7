// SPDX-License-Identifier: Apache-2.0
// Products with packed int4 blocks by SDOT and USDOT: after vec_neoni8mm.h.
#ifndef CSIMD_INTERNAL_Q4_NEONI8MM_H
#define CSIMD_INTERNAL_Q4_NEONI8MM_H

#include "q4_neon.h"
#include "vec_neoni8mm.h"

CSIMD_REGION_NEONI8MM

/// Adds factor · Σ a · (code - 8) over one group to the sums of rows 0 … 15 and 16 … 31.
///
/// USDOT takes both codes of a byte as they are, 16 · high + low, so no load needs a shift: the sum
/// over the low codes is taken away once a group, and what is left is divided by 16 exactly.
CSIMD_INLINE void q4_add_group(
    v16i sum[2], const uint8_t *codes, const int8_t *a, const v16i words[2], const int group) {
  const int8x16_t zero = vdupq_n_s8(CSIMD_Q4_ZERO);
  const uint8x16_t mask = vdupq_n_u8(15);
  int32x4_t surplus = vdotq_s32(vdupq_n_s32(0), vld1q_s8(a), zero);
  surplus = vdupq_n_s32(vaddvq_s32(vdotq_s32(surplus, vld1q_s8(a + 16), zero)));
  v16i low = v16i_zero(), both = v16i_zero();
  CSIMD_UNROLL
  for (int quad = 0; quad < CSIMD_Q4_GROUP / CSIMD_Q4_QUAD; quad++) {
    int8x16_t inputs = q4_quad(a + CSIMD_Q4_QUAD * quad);
    CSIMD_UNROLL
    for (int part = 0; part < 4; part++) {
      uint8x16_t x = vld1q_u8(codes + CSIMD_Q4_LINE * quad + 16 * part);
      low.q[part] = vdotq_s32(low.q[part], vreinterpretq_s8_u8(vandq_u8(x, mask)), inputs);
      both.q[part] = vusdotq_s32(both.q[part], x, inputs);
    }
  }
  CSIMD_UNROLL
  for (int part = 0; part < 4; part++) {
    int32x4_t high = vshrq_n_s32(vsubq_s32(both.q[part], low.q[part]), 4);
    int32x4_t value[2] = {vsubq_s32(low.q[part], surplus), vsubq_s32(high, surplus)};
    CSIMD_UNROLL
    for (int half = 0; half < 2; half++) {
      int32x4_t factor = q4_factors4(words[half].q[part], group);
      sum[half].q[part] = vmlaq_s32(sum[half].q[part], value[half], factor);
    }
  }
}

CSIMD_REGION_END

#endif
