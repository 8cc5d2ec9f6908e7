// SPDX-License-Identifier: Apache-2.0
// AVX2: sums and multiples of vectors.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

CSIMD_REGION_AVX2

#include "elementwise_vector.h"

CSIMD_REGION_END

#endif
