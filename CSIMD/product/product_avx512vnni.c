// SPDX-License-Identifier: Apache-2.0
// AVX-512: products of two matrices.
#include "../dispatch/train_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

// 24 accumulator registers, 2 of B and 1 broadcast: 14 loads for 24 multiply-adds.
#define PRODUCT_ROWS 12
#define PRODUCT_COLUMNS 2

CSIMD_REGION_AVX512VNNI

#include "product_vector.h"

CSIMD_REGION_END

#endif
