// SPDX-License-Identifier: Apache-2.0
// NEON: f32 activations times row-major bf16 weights.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

// 16 accumulator registers of 4 lanes and 12 of operands: 3 × 2 would spill.
#define CSIMD_FLOAT_ROWS 2
#define CSIMD_FLOAT_COLUMNS 2
#define FLOAT_GEMM bf16_gemm
#define FLOAT_GEMM_WEIGHT uint16_t
#define FLOAT_GEMM_LOAD(p) v16_from_bf16(v16_bits16_load(p))
#define FLOAT_GEMM_LOAD_N(p, n) v16_from_bf16(v16_bits16_load_n(p, n))

CSIMD_REGION_NEONDOT

#include "../f32_gemm/float_gemm_vector.h"

CSIMD_REGION_END

#endif
