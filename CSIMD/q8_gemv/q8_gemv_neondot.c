// SPDX-License-Identifier: Apache-2.0
// NEON dot products: one row of int8 activations times packed int8 weights.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

// Eight registers a chain: 16 sums for two quads of inputs.
#define CSIMD_GEMV_CHAINS 2

CSIMD_REGION_NEONDOT

#include "q8_gemv_vector.h"

CSIMD_REGION_END

#endif
