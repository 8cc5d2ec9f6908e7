// SPDX-License-Identifier: Apache-2.0
// AVX-512: attention of one head, and the store that feeds it.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"
#include "attention_layout.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

// Up to 24 accumulators: 12 rows × 2 vectors take 14 loads for 24 multiply-adds.
#define CSIMD_SCORE_ROWS(R) (R)
#define CSIMD_SCORE_BLOCKS(R) ((R) >= 8 ? 2 : (R) == 4 ? 4 : 8)
#define CSIMD_VALUE_ROWS(R) (R)
#define CSIMD_VALUE_VECTORS(R) ((R) >= 8 ? 2 : (R) == 4 ? 4 : (R) == 2 ? 8 : 16)

CSIMD_REGION_AVX512VNNI

#include "attention_vector.h"
#include "kv_store_vector.h"

CSIMD_REGION_END

#endif
