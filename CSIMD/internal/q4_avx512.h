// SPDX-License-Identifier: Apache-2.0
// Packed int4 blocks in AVX-512 registers: after vec_avx512.h.
#ifndef CSIMD_INTERNAL_Q4_AVX512_H
#define CSIMD_INTERNAL_Q4_AVX512_H

#include "q4_panel.h"
#include "vec_avx512.h"

CSIMD_REGION_AVX512VNNI

/// The words of sixteen rows.
CSIMD_INLINE v16i q4_words(const uint8_t *block, const int half) {
  return _mm512_loadu_si512(block + CSIMD_Q4_CODE_BYTES + 64 * half);
}

CSIMD_INLINE v16i q4_factors(v16i words, const int group) {
  __m512i top = _mm512_slli_epi32(words, (unsigned)(27 - 5 * group));
  __m512i limit = _mm512_set1_epi32(-CSIMD_Q4_FACTOR_LIMIT);
  return _mm512_max_epi32(_mm512_srai_epi32(top, 27), limit);
}

CSIMD_INLINE v16 q4_scales(v16i words) {
  __m512i bits = _mm512_and_si512(_mm512_srli_epi32(words, 4), _mm512_set1_epi32(0x0fff0000));
  return _mm512_mul_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(CSIMD_Q4_SCALE_UNIT));
}

/// Adds factor · Σ a · (code - 8) over one group to the sums of rows 0 … 15 and 16 … 31.
///
/// Two chains for each sum hide the latency of the multiply. 8 · Σ a comes from a third product of
/// the same broadcast: decode waits for memory, not for the multiplier.
CSIMD_INLINE void q4_add_group(
    v16i sum[2], const uint8_t *codes, const int8_t *a, const v16i words[2], const int group) {
  const __m512i mask = _mm512_set1_epi8(15), zero = _mm512_set1_epi8(CSIMD_Q4_ZERO);
  v16i low[2] = {v16i_zero(), v16i_zero()}, both[2] = {v16i_zero(), v16i_zero()};
  v16i shift[2] = {v16i_zero(), v16i_zero()};
  CSIMD_UNROLL
  for (int quad = 0; quad < CSIMD_Q4_GROUP / CSIMD_Q4_QUAD; quad++) {
    const int chain = quad % 2;
    int32_t four;
    __builtin_memcpy(&four, a + CSIMD_Q4_QUAD * quad, sizeof four);
    __m512i activations = _mm512_set1_epi32(four);
    __m512i x = _mm512_loadu_si512(codes + CSIMD_Q4_LINE * quad);
    low[chain] = _mm512_dpbusd_epi32(low[chain], _mm512_and_si512(x, mask), activations);
    both[chain] = _mm512_dpbusd_epi32(both[chain], x, activations);
    shift[chain] = _mm512_dpbusd_epi32(shift[chain], zero, activations);
  }
  v16i surplus = v16i_add(shift[0], shift[1]);
  v16i lower = v16i_add(low[0], low[1]);
  v16i higher = _mm512_srai_epi32(_mm512_sub_epi32(v16i_add(both[0], both[1]), lower), 4);
  CSIMD_UNROLL
  for (int half = 0; half < 2; half++) {
    v16i codes32 = _mm512_sub_epi32(half == 0 ? lower : higher, surplus);
    v16i product = _mm512_mullo_epi32(codes32, q4_factors(words[half], group));
    sum[half] = v16i_add(sum[half], product);
  }
}

/// Writes (code - 8) · factor + 128 of one group as the bytes of the int8 layout.
///
/// code · |factor| is at most 225, so one 16-bit multiply makes two bytes without a carry; a
/// negative factor takes the product's complement.
CSIMD_INLINE void q4_unpack_group(const uint8_t *codes,
                                  const v16i words[2],
                                  const int group,
                                  uint8_t *out) {
  const __m512i mask = _mm512_set1_epi8(15);
  __m512i factor[2], flip[2], base[2];
  CSIMD_UNROLL
  for (int half = 0; half < 2; half++) {
    __m512i signed32 = q4_factors(words[half], group);
    __m512i magnitude = _mm512_abs_epi32(signed32);
    factor[half] = _mm512_or_si512(magnitude, _mm512_slli_epi32(magnitude, 16));
    flip[half] = _mm512_srai_epi32(signed32, 31);
    // 128 - 8 · factor, and 1 more to make a complement a negation; the same byte four times.
    __m512i offset = _mm512_sub_epi32(_mm512_set1_epi32(128), _mm512_slli_epi32(signed32, 3));
    offset = _mm512_sub_epi32(offset, flip[half]);
    base[half] = _mm512_mullo_epi32(offset, _mm512_set1_epi32(0x01010101));
  }
  CSIMD_UNROLL
  for (int quad = 0; quad < CSIMD_Q4_GROUP / CSIMD_Q4_QUAD; quad++) {
    __m512i x = _mm512_loadu_si512(codes + CSIMD_Q4_LINE * quad);
    CSIMD_UNROLL
    for (int half = 0; half < 2; half++) {
      __m512i code = _mm512_and_si512(half == 0 ? x : _mm512_srli_epi16(x, 4), mask);
      __m512i product = _mm512_mullo_epi16(code, factor[half]);
      __m512i bytes = _mm512_add_epi8(_mm512_xor_si512(product, flip[half]), base[half]);
      _mm512_storeu_si512(out + 128 * quad + 64 * half, bytes);
    }
  }
}

CSIMD_REGION_END

#endif
