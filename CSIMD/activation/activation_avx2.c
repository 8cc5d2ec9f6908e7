// SPDX-License-Identifier: Apache-2.0
// AVX2: activations and gates.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

CSIMD_REGION_AVX2

#include "activation_vector.h"

CSIMD_REGION_END

#endif
