// SPDX-License-Identifier: Apache-2.0
// NEON with bf16: conversions between f32 and the 16-bit floats.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neoni8mm.h"

CSIMD_REGION_NEONI8MM

#include "convert_vector.h"

CSIMD_REGION_END

#endif
