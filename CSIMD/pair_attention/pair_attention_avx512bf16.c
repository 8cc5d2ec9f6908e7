// SPDX-License-Identifier: Apache-2.0
// AVX-512 BF16: attention in bf16, one instruction a pair.
//
// VDPBF16PS adds the second product, then the first, each fused: the bits of two multiply-adds, but
// that it takes subnormal inputs for zeros and flushes subnormal sums.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"
#include "pair_layout.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

#undef CSIMD_JOIN
#define CSIMD_JOIN(op) csimd_##op##__avx512bf16

// 24 accumulators, 2 registers of keys or values, 1 broadcast: 14 loads for 24 products of pairs.
#define CSIMD_PAIR_ROWS(R) (R)
#define CSIMD_PAIR_VECTORS(R) ((R) >= 8 ? 2 : 4)

CSIMD_REGION_AVX512BF16

CSIMD_INLINE v16 pair_add(v16 sum, v16 a, v16 b) {
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

#include "pair_attention_vector.h"

CSIMD_REGION_END

#endif
