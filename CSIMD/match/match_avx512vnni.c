// SPDX-License-Identifier: Apache-2.0
// AVX-512: scores above a row's threshold, and products of one row with chosen rows.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

CSIMD_REGION_AVX512VNNI

CSIMD_INLINE uint32_t match_mask(v16 x, v16 threshold) {
  return _mm512_cmp_ps_mask(x, threshold, _CMP_GT_OQ);
}

#include "match_vector.h"

CSIMD_REGION_END

#endif
