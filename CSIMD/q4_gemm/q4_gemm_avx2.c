// SPDX-License-Identifier: Apache-2.0
// AVX2: int8 activations [m, k] times packed int4 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q4_panel.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/q4_avx2.h"

CSIMD_REGION_AVX2

#include "q4_gemm_vector.h"

CSIMD_REGION_END

#endif
