// SPDX-License-Identifier: Apache-2.0
// AVX-512: Activations → int8 codes.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

CSIMD_REGION_AVX512VNNI

#include "q8_quant_vector.h"

CSIMD_REGION_END

#endif
