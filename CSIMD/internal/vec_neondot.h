// SPDX-License-Identifier: Apache-2.0
// NEON with dot products: names, bf16 rounding and int8 products of the level `neondot`.
#ifndef CSIMD_INTERNAL_VEC_NEONDOT_H
#define CSIMD_INTERNAL_VEC_NEONDOT_H

#include "q8_rows.h"
#include "vec_neon.h"

// The macro expands `op` before it joins the parts.
#define CSIMD_JOIN(op) csimd_##op##__neondot
#define CSIMD_NAME(op) CSIMD_JOIN(op)

CSIMD_REGION_NEONDOT

// MARK: - 16-bit floats

CSIMD_INLINE uint16x8_t v8_to_bf16(v4 low, v4 high) {
  uint32x4_t x[2] = {vreinterpretq_u32_f32(low), vreinterpretq_u32_f32(high)};
  CSIMD_UNROLL
  for (int i = 0; i < 2; i++) {
    v4 value = vreinterpretq_f32_u32(x[i]);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(x[i], 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(x[i], vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    uint32x4_t quiet = vorrq_u32(x[i], vdupq_n_u32(0x400000));
    x[i] = vbslq_u32(vceqq_f32(value, value), rounded, quiet);
  }
  return vshrn_high_n_u32(vshrn_n_u32(x[0], 16), x[1], 16);
}

CSIMD_INLINE v16_bits16 v16_to_bf16(v16 x) {
  return (v16_bits16){v8_to_bf16(x.q[0], x.q[1]), v8_to_bf16(x.q[2], x.q[3])};
}

// MARK: - Packed int8

/// Where a group's accumulators start: codes are used as signed values, so there is no surplus.
CSIMD_INLINE v16i q8_start(int32_t sum) {
  (void)sum;
  return v16i_zero();
}

/// Sixteen codes, four inputs of four rows, as SDOT wants them: signed.
CSIMD_INLINE int8x16_t q8_codes(const uint8_t *w) {
  return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(w), vdupq_n_u8(0x80)));
}

/// Adds the products of four inputs: 32 weight rows at `w`, `rows` activation rows at `a`.
///
/// Eight registers of sums a row, so 32 registers leave room for rows = 3.
CSIMD_INLINE void q8_step(
    v16i (*acc)[2], const uint8_t *w, const q8_rows *a, size_t offset, const int rows) {
  CSIMD_UNROLL
  for (int part = 0; part < 8; part++) {
    int8x16_t codes = q8_codes(w + 16 * part);
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      int8x16_t quad = vreinterpretq_s8_s32(vdupq_n_s32(q8_quad(a, i, offset)));
      int32x4_t *sums = &acc[i][part / 4].q[part % 4];
      *sums = vdotq_s32(*sums, codes, quad);
    }
  }
}

CSIMD_REGION_END

#endif
