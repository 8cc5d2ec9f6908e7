// SPDX-License-Identifier: Apache-2.0
// AVX2: int8 activations [m, k] times packed int8 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

// 12 accumulators, one register each of weights, their magnitudes, activations and ones.
#define CSIMD_Q8_TILE 3

CSIMD_REGION_AVX2

#include "q8_gemm_vector.h"

CSIMD_REGION_END

#endif
