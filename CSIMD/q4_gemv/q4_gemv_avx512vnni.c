// SPDX-License-Identifier: Apache-2.0
// AVX-512: one row of int8 activations times packed int4 weights.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q4_panel.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/q4_avx512.h"

CSIMD_REGION_AVX512VNNI

#include "q4_gemv_vector.h"

CSIMD_REGION_END

#endif
