// SPDX-License-Identifier: Apache-2.0
// NEON: activations and gates.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

CSIMD_REGION_NEONDOT

#include "activation_vector.h"

CSIMD_REGION_END

#endif
