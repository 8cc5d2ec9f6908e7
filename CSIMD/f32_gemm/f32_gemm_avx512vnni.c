// SPDX-License-Identifier: Apache-2.0
// AVX-512: f32 activations times row-major f32 weights.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

// 24 accumulator registers; 10 loads for 24 multiply-adds.
#define CSIMD_FLOAT_ROWS 6
#define CSIMD_FLOAT_COLUMNS 4
#define FLOAT_GEMM f32_gemm
#define FLOAT_GEMM_WEIGHT float
#define FLOAT_GEMM_LOAD(p) v16_load(p)
#define FLOAT_GEMM_LOAD_N(p, n) v16_load_n(p, n)

CSIMD_REGION_AVX512VNNI

#include "float_gemm_vector.h"

CSIMD_REGION_END

#endif
