// SPDX-License-Identifier: Apache-2.0
// AVX2: blocks of a packed int8 matrix as floats.
#include "../dispatch/train_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

#include <string.h>

CSIMD_REGION_AVX2

#include "q8_unpack_vector.h"

CSIMD_REGION_END

#endif
