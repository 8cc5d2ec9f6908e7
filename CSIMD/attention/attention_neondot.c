// SPDX-License-Identifier: Apache-2.0
// NEON: attention of one head, and the store that feeds it.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"
#include "attention_layout.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

// Up to 24 accumulator registers of 4 lanes: 6 rows × 16 lanes, or fewer rows and more vectors.
#define CSIMD_SCORE_ROWS(R) ((R) == 12 ? 6 : (R) == 8 ? 4 : (R))
#define CSIMD_SCORE_BLOCKS(R) ((R) >= 4 ? 1 : (R) == 2 ? 2 : 4)
#define CSIMD_VALUE_ROWS(R) CSIMD_SCORE_ROWS(R)
#define CSIMD_VALUE_VECTORS(R) CSIMD_SCORE_BLOCKS(R)

CSIMD_REGION_NEONDOT

#include "attention_vector.h"
#include "kv_store_vector.h"

CSIMD_REGION_END

#endif
