// SPDX-License-Identifier: Apache-2.0
// AVX2: f32 activations times row-major bf16 weights.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

// 12 accumulator registers; 10 loads for 12 multiply-adds.
#define CSIMD_FLOAT_ROWS 3
#define CSIMD_FLOAT_COLUMNS 2
#define FLOAT_GEMM bf16_gemm
#define FLOAT_GEMM_WEIGHT uint16_t
#define FLOAT_GEMM_LOAD(p) v16_from_bf16(v16_bits16_load(p))
#define FLOAT_GEMM_LOAD_N(p, n) v16_from_bf16(v16_bits16_load_n(p, n))

CSIMD_REGION_AVX2

#include "../f32_gemm/float_gemm_vector.h"

CSIMD_REGION_END

#endif
