// SPDX-License-Identifier: Apache-2.0
// NEON matrix products: int8 activations [m, k] times packed int8 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_ARM

#include "../internal/vec_neoni8mm.h"

// USMMLA multiplies 2 rows by 2 columns over 8 inputs, twice the products of a USDOT. A tile of 3
// pairs of rows × 8 pairs of columns has 24 sums, 3 registers of activations and up to 4 of
// weights: 11 loads and 8 interleavings for 24 USMMLA.
#define CSIMD_Q8_TILE 6
#define Q8_SPAN SIZE_MAX
#define Q8_CHUNK 8

CSIMD_REGION_NEONI8MM

#include "q8_inputs_neon.h"

// Sums of rows i and i + 1 (i even) and columns 4p … 4p + 3 until q8_tile_finish:
//   sums[i].q[p]      column 4p     of both rows, column 4p + 1 of both rows
//   sums[i + 1].q[p]  column 4p + 2 of both rows, column 4p + 3 of both rows
// A single row has its sums in order: it is multiplied by USDOT.

CSIMD_INLINE void q8_tile_start(v16i *sums, const int32_t *surplus, size_t stride, const int rows) {
  // Weights are code + 128, and the surplus is taken back here.
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    int32x4_t start = vdupq_n_s32(surplus[(size_t)i * stride]);
    if (rows > 1) {
      int32x4_t even = vdupq_n_s32(surplus[(size_t)(i & ~1) * stride]);
      start = vtrn1q_s32(even, vdupq_n_s32(surplus[(size_t)(i | 1) * stride]));
    }
    CSIMD_UNROLL
    for (int part = 0; part < 4; part++) {
      sums[i].q[part] = start;
    }
  }
}

/// Adds the products of eight inputs and one row.
CSIMD_INLINE void q8_add_row(int32x4_t *sums, const uint8_t *w, const int8_t *a) {
  int8x8_t quads = vld1_s8(a);
  CSIMD_UNROLL
  for (int part = 0; part < 4; part++) {
    sums[part] = vusdotq_lane_s32(sums[part], vld1q_u8(w + 16 * part), quads, 0);
    sums[part] = vusdotq_lane_s32(sums[part], vld1q_u8(w + 128 + 16 * part), quads, 1);
  }
}

CSIMD_INLINE void q8_tile_add(
    v16i *sums, const uint8_t *w, const q8_inputs *a, size_t k, const int rows) {
  if (rows == 1) {
    q8_add_row(sums[0].q, w, a->codes + k);
    return;
  }
  int8x16_t pairs[CSIMD_Q8_TILE / 2];
  CSIMD_UNROLL
  for (int i = 0; i < rows; i += 2) {
    const int8_t *row = a->codes + (size_t)i * a->stride + k;
    pairs[i / 2] = vcombine_s8(vld1_s8(row), vld1_s8(row + a->stride));
  }
  CSIMD_UNROLL
  for (int part = 0; part < 4; part++) {
    // Four columns × inputs 0 … 3 and 4 … 7 become two pairs of columns × inputs 0 … 7.
    uint32x4_t near = vreinterpretq_u32_u8(vld1q_u8(w + 16 * part));
    uint32x4_t far = vreinterpretq_u32_u8(vld1q_u8(w + 128 + 16 * part));
    uint8x16_t first = vreinterpretq_u8_u32(vzip1q_u32(near, far));
    uint8x16_t second = vreinterpretq_u8_u32(vzip2q_u32(near, far));
    CSIMD_UNROLL
    for (int i = 0; i < rows; i += 2) {
      sums[i].q[part] = vusmmlaq_s32(sums[i].q[part], first, pairs[i / 2]);
      sums[i + 1].q[part] = vusmmlaq_s32(sums[i + 1].q[part], second, pairs[i / 2]);
    }
    CSIMD_UNROLL
    for (int i = 0; i < rows; i += 2) {
      csimd_settle2(&sums[i].q[part], &sums[i + 1].q[part]);
    }
  }
}

CSIMD_INLINE void q8_tile_finish(v16i *sums, const int rows) {
  CSIMD_UNROLL
  for (int i = 0; i + 1 < rows; i += 2) {
    CSIMD_UNROLL
    for (int part = 0; part < 4; part++) {
      int32x4_t first = sums[i].q[part], second = sums[i + 1].q[part];
      sums[i].q[part] = vuzp1q_s32(first, second);
      sums[i + 1].q[part] = vuzp2q_s32(first, second);
    }
  }
}

#include "q8_gemm_half.h"

CSIMD_REGION_END

#endif
