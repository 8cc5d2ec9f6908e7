// SPDX-License-Identifier: Apache-2.0
// AVX2: products of two matrices.
#include "../dispatch/train_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

// 12 accumulator registers, 2 of B and 1 broadcast: 8 loads for 12 multiply-adds.
#define PRODUCT_ROWS 6
#define PRODUCT_COLUMNS 1

CSIMD_REGION_AVX2

#include "product_vector.h"

CSIMD_REGION_END

#endif
