// SPDX-License-Identifier: Apache-2.0
// NEON with int8 matrix products and bf16: names, bf16 rounding and int8 products of the level
// `neoni8mm`.
#ifndef CSIMD_INTERNAL_VEC_NEONI8MM_H
#define CSIMD_INTERNAL_VEC_NEONI8MM_H

#include "q8_rows.h"
#include "vec_neon.h"

// The macro expands `op` before it joins the parts.
#define CSIMD_JOIN(op) csimd_##op##__neoni8mm
#define CSIMD_NAME(op) CSIMD_JOIN(op)

CSIMD_REGION_NEONI8MM

// MARK: - 16-bit floats

CSIMD_INLINE uint16x8_t v8_to_bf16(v4 low, v4 high) {
  return vreinterpretq_u16_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(low), high));
}

CSIMD_INLINE v16_bits16 v16_to_bf16(v16 x) {
  return (v16_bits16){v8_to_bf16(x.q[0], x.q[1]), v8_to_bf16(x.q[2], x.q[3])};
}

// MARK: - Packed int8

/// Where a group's accumulators start: USDOT multiplies by code + 128, and `sum` takes the surplus
/// back.
CSIMD_INLINE v16i q8_start(int32_t sum) {
  return v16i_set(sum);
}

/// Adds the products of four inputs: 32 weight rows at `w`, `rows` activation rows at `a`.
///
/// Eight registers of sums a row, so 32 registers leave room for rows = 3.
CSIMD_INLINE void q8_step(
    v16i (*acc)[2], const uint8_t *w, const q8_rows *a, size_t offset, const int rows) {
  CSIMD_UNROLL
  for (int part = 0; part < 8; part++) {
    uint8x16_t codes = vld1q_u8(w + 16 * part);
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      int8x16_t quad = vreinterpretq_s8_s32(vdupq_n_s32(q8_quad(a, i, offset)));
      int32x4_t *sums = &acc[i][part / 4].q[part % 4];
      *sums = vusdotq_s32(*sums, codes, quad);
    }
  }
}

CSIMD_REGION_END

#endif
