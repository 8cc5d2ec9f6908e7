// SPDX-License-Identifier: Apache-2.0
// NEON mixed-sign dot products: one row of int8 activations times packed int4 weights.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q4_panel.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/q4_neoni8mm.h"

CSIMD_REGION_NEONI8MM

#include "q4_gemv_vector.h"

CSIMD_REGION_END

#endif
