// SPDX-License-Identifier: Apache-2.0
// AVX-512: sums and multiples of vectors.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

CSIMD_REGION_AVX512VNNI

#include "elementwise_vector.h"

CSIMD_REGION_END

#endif
