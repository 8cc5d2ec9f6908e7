// SPDX-License-Identifier: Apache-2.0
// NEON: conversions between f32 and the 16-bit floats.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

CSIMD_REGION_NEONDOT

#include "convert_vector.h"

CSIMD_REGION_END

#endif
