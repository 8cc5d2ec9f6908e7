// SPDX-License-Identifier: Apache-2.0
// NEON: Activations → int8 codes.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

CSIMD_REGION_NEONDOT

#include "q8_quant_vector.h"

CSIMD_REGION_END

#endif
