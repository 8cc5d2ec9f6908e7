// SPDX-License-Identifier: Apache-2.0
// NEON matrix products: int8 activations [m, k] times packed int4 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q4_panel.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/q4_neoni8mm.h"

CSIMD_REGION_NEONI8MM

#include "q4_gemm_vector.h"

CSIMD_REGION_END

#endif
