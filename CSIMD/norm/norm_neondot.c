// SPDX-License-Identifier: Apache-2.0
// NEON: layer norm and RMS norm.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

CSIMD_REGION_NEONDOT

#include "norm_vector.h"

CSIMD_REGION_END

#endif
