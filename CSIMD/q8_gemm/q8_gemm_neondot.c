// SPDX-License-Identifier: Apache-2.0
// NEON dot products: int8 activations [m, k] times packed int8 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neondot.h"

// 24 sums, 4 registers of weights, 1 of four activations: 10 loads and 4 changes of sign for 24
// SDOT.
#define CSIMD_Q8_TILE 6
#define Q8_SPAN SIZE_MAX
#define Q8_CHUNK 4

CSIMD_REGION_NEONDOT

#include "q8_inputs_neon.h"

CSIMD_INLINE void q8_tile_start(v16i *sums, const int32_t *surplus, size_t stride, const int rows) {
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    sums[i] = q8_start(surplus[(size_t)i * stride]);
  }
}

CSIMD_INLINE void q8_tile_add(
    v16i *sums, const uint8_t *w, const q8_inputs *a, size_t k, const int rows) {
  int8x16_t codes[4];
  CSIMD_UNROLL
  for (int part = 0; part < 4; part++) {
    codes[part] = q8_codes(w + 16 * part);
  }
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    int32_t quad;
    __builtin_memcpy(&quad, a->codes + (size_t)i * a->stride + k, sizeof quad);
    int8x16_t inputs = vreinterpretq_s8_s32(vdupq_n_s32(quad));
    CSIMD_UNROLL
    for (int part = 0; part < 4; part++) {
      sums[i].q[part] = vdotq_s32(sums[i].q[part], codes[part], inputs);
    }
    csimd_settle(sums[i].q);
  }
}

CSIMD_INLINE void q8_tile_finish(v16i *sums, const int rows) {
  (void)sums, (void)rows;  // in order already
}

#include "q8_gemm_half.h"

CSIMD_REGION_END

#endif
