// SPDX-License-Identifier: Apache-2.0
// AVX2: scores above a row's threshold, and products of one row with chosen rows.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

CSIMD_REGION_AVX2

CSIMD_INLINE uint32_t match_mask(v16 x, v16 threshold) {
  int low = _mm256_movemask_ps(_mm256_cmp_ps(x.low, threshold.low, _CMP_GT_OQ));
  int high = _mm256_movemask_ps(_mm256_cmp_ps(x.high, threshold.high, _CMP_GT_OQ));
  return (uint32_t)low | (uint32_t)high << 8;
}

#include "match_vector.h"

CSIMD_REGION_END

#endif
