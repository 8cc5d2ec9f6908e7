// SPDX-License-Identifier: Apache-2.0
// AVX2: layer norm and RMS norm.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

CSIMD_REGION_AVX2

#include "norm_vector.h"

CSIMD_REGION_END

#endif
