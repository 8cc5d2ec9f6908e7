// SPDX-License-Identifier: Apache-2.0
// Packed int4 blocks in NEON registers, what both ARM levels share: after vec_neondot.h or
// vec_neoni8mm.h.
#ifndef CSIMD_INTERNAL_Q4_NEON_H
#define CSIMD_INTERNAL_Q4_NEON_H

#include "q4_panel.h"
#include "q8_panel.h"
#include "vec_neon.h"

// Every ARMv8 processor runs what stands here, so no region is needed.

/// The words of sixteen rows.
CSIMD_INLINE v16i q4_words(const uint8_t *block, const int half) {
  const uint8_t *words = block + CSIMD_Q4_CODE_BYTES + 64 * half;
  CSIMD_NEON_QUARTERS(v16i, vreinterpretq_s32_u8(vld1q_u8(words + 16 * q)));
}

/// The factors of four rows.
CSIMD_INLINE int32x4_t q4_factors4(int32x4_t words, const int group) {
  int32x4_t top = vshlq_s32(words, vdupq_n_s32(27 - 5 * group));
  return vmaxq_s32(vshrq_n_s32(top, 27), vdupq_n_s32(-CSIMD_Q4_FACTOR_LIMIT));
}

CSIMD_INLINE v4 q4_scales4(int32x4_t words) {
  uint32x4_t bits = vshrq_n_u32(vreinterpretq_u32_s32(words), 4);
  bits = vandq_u32(bits, vdupq_n_u32(0x0fff0000));
  return vmulq_f32(vreinterpretq_f32_u32(bits), vdupq_n_f32(CSIMD_Q4_SCALE_UNIT));
}

CSIMD_INLINE v16 q4_scales(v16i words) {
  CSIMD_NEON_QUARTERS(v16, q4_scales4(words.q[q]));
}

/// Four activations in the place of every row's four.
CSIMD_INLINE int8x16_t q4_quad(const int8_t *a) {
  int32_t four;
  __builtin_memcpy(&four, a, sizeof four);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/// Writes (code - 8) · factor + 128 of one group as the bytes of the int8 layout: code · factor
/// onto 128 - 8 · factor, both modulo 256.
CSIMD_INLINE void q4_unpack_group(const uint8_t *codes,
                                  const v16i words[2],
                                  const int group,
                                  uint8_t *out) {
  const uint32x4_t fours = vdupq_n_u32(0x01010101);
  CSIMD_UNROLL
  for (int part = 0; part < 4; part++) {
    uint8x16_t factor[2], base[2];
    CSIMD_UNROLL
    for (int half = 0; half < 2; half++) {
      int32x4_t signed32 = q4_factors4(words[half].q[part], group);
      uint32x4_t byte = vandq_u32(vreinterpretq_u32_s32(signed32), vdupq_n_u32(255));
      factor[half] = vreinterpretq_u8_u32(vmulq_u32(byte, fours));
      base[half] = vsubq_u8(vdupq_n_u8(CSIMD_Q8_ZERO), vshlq_n_u8(factor[half], 3));
    }
    CSIMD_UNROLL
    for (int quad = 0; quad < CSIMD_Q4_GROUP / CSIMD_Q4_QUAD; quad++) {
      uint8x16_t x = vld1q_u8(codes + CSIMD_Q4_LINE * quad + 16 * part);
      uint8_t *bytes = out + 128 * quad + 16 * part;
      vst1q_u8(bytes, vmlaq_u8(base[0], vandq_u8(x, vdupq_n_u8(15)), factor[0]));
      vst1q_u8(bytes + 64, vmlaq_u8(base[1], vshrq_n_u8(x, 4), factor[1]));
    }
  }
}

#endif
