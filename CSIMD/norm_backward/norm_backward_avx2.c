// SPDX-License-Identifier: Apache-2.0
// AVX2: gradients of layer norm and RMS norm.
#include "../dispatch/train_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

#include <string.h>

CSIMD_REGION_AVX2

#include "norm_backward_vector.h"

CSIMD_REGION_END

#endif
