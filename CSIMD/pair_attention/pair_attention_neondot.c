// SPDX-License-Identifier: Apache-2.0
// NEON: attention in bf16, two fused products a pair.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"
#include "pair_layout.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

// Four rows × 16 lanes: a pair's halves take registers beside the accumulators.
#define CSIMD_PAIR_ROWS(R) ((R) == 1 ? 1 : 4)
#define CSIMD_PAIR_VECTORS(R) 1

CSIMD_REGION_NEONDOT

CSIMD_INLINE v16 pair_add(v16 sum, v16 a, v16 b) {
  sum = v16_fma(v16_pair_high(a), v16_pair_high(b), sum);
  return v16_fma(v16_pair_low(a), v16_pair_low(b), sum);
}

#include "pair_attention_vector.h"

CSIMD_REGION_END

#endif
