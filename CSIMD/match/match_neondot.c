// SPDX-License-Identifier: Apache-2.0
// NEON: scores above a row's threshold, and products of one row with chosen rows.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

CSIMD_REGION_NEONDOT

CSIMD_INLINE uint32_t match_mask(v16 x, v16 threshold) {
  const uint32_t weights[4] = {1, 2, 4, 8};
  uint32x4_t weight = vld1q_u32(weights);
  uint32_t mask = 0;
  CSIMD_UNROLL
  for (int q = 0; q < 4; q++) {
    mask |= vaddvq_u32(vandq_u32(vcgtq_f32(x.q[q], threshold.q[q]), weight)) << 4 * q;
  }
  return mask;
}

#include "match_vector.h"

CSIMD_REGION_END

#endif
