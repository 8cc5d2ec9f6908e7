// SPDX-License-Identifier: Apache-2.0
// AVX-512: int8 activations [m, k] times packed int8 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

// 24 accumulators, 2 registers of weights, 1 of activations: 14 loads for 24 VPDPBUSD.
#define CSIMD_Q8_TILE 12

CSIMD_REGION_AVX512VNNI

#include "q8_gemm_vector.h"

CSIMD_REGION_END

#endif
