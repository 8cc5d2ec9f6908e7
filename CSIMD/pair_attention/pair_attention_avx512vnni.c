// SPDX-License-Identifier: Apache-2.0
// AVX-512 without its bf16 products: attention in bf16, two fused products a pair.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"
#include "pair_layout.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

// Up to 24 accumulators: 12 rows × 2 vectors.
#define CSIMD_PAIR_ROWS(R) (R)
#define CSIMD_PAIR_VECTORS(R) ((R) >= 8 ? 2 : 4)

CSIMD_REGION_AVX512VNNI

CSIMD_INLINE v16 pair_add(v16 sum, v16 a, v16 b) {
  sum = v16_fma(v16_pair_high(a), v16_pair_high(b), sum);
  return v16_fma(v16_pair_low(a), v16_pair_low(b), sum);
}

#include "pair_attention_vector.h"

CSIMD_REGION_END

#endif
