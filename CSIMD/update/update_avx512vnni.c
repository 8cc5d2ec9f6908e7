// SPDX-License-Identifier: Apache-2.0
// AVX-512: sums over vectors and rows, and the optimiser's step.
#include "../dispatch/train_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

#include <string.h>

CSIMD_REGION_AVX512VNNI

#include "update_vector.h"

CSIMD_REGION_END

#endif
