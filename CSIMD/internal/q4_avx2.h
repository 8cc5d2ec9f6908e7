// SPDX-License-Identifier: Apache-2.0
// Packed int4 blocks in AVX2 registers: after vec_avx2.h.
#ifndef CSIMD_INTERNAL_Q4_AVX2_H
#define CSIMD_INTERNAL_Q4_AVX2_H

#include "q4_panel.h"
#include "vec_avx2.h"

CSIMD_REGION_AVX2

/// The words of sixteen rows.
CSIMD_INLINE v16i q4_words(const uint8_t *block, const int half) {
  const __m256i *words = (const __m256i *)(block + CSIMD_Q4_CODE_BYTES + 64 * half);
  return (v16i){_mm256_loadu_si256(words), _mm256_loadu_si256(words + 1)};
}

CSIMD_INLINE __m256i q4_factors8(__m256i words, const int group) {
  __m256i top = _mm256_slli_epi32(words, 27 - 5 * group);
  return _mm256_max_epi32(_mm256_srai_epi32(top, 27), _mm256_set1_epi32(-CSIMD_Q4_FACTOR_LIMIT));
}

CSIMD_INLINE __m256 q4_scales8(__m256i words) {
  __m256i bits = _mm256_and_si256(_mm256_srli_epi32(words, 4), _mm256_set1_epi32(0x0fff0000));
  return _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(CSIMD_Q4_SCALE_UNIT));
}

CSIMD_INLINE v16 q4_scales(v16i words) {
  return (v16){q4_scales8(words.low), q4_scales8(words.high)};
}

/// Adds factor · Σ a · (code - 8) over one group to the sums of rows 0 … 15 and 16 … 31.
///
/// A pair of products is at most 15 · 127 · 2, so VPMADDUBSW never saturates and the eight quads of
/// a group add up in 16 bits: 30,480 at most, 16,256 once 8 · Σ a is taken away. The factor
/// multiplies both 16-bit halves of a row as VPMADDWD adds them.
CSIMD_INLINE void q4_add_group(
    v16i sum[2], const uint8_t *codes, const int8_t *a, const v16i words[2], const int group) {
  const __m256i mask = _mm256_set1_epi8(15), zero = _mm256_set1_epi8(CSIMD_Q4_ZERO);
  __m256i pairs[2][2], surplus = _mm256_setzero_si256();
  CSIMD_UNROLL
  for (int half = 0; half < 2; half++) {
    pairs[half][0] = pairs[half][1] = _mm256_setzero_si256();
  }
  CSIMD_UNROLL
  for (int quad = 0; quad < CSIMD_Q4_GROUP / CSIMD_Q4_QUAD; quad++) {
    int32_t four;
    __builtin_memcpy(&four, a + CSIMD_Q4_QUAD * quad, sizeof four);
    __m256i activations = _mm256_set1_epi32(four);
    surplus = _mm256_add_epi16(surplus, _mm256_maddubs_epi16(zero, activations));
    CSIMD_UNROLL
    for (int part = 0; part < 2; part++) {
      const __m256i *source = (const __m256i *)(codes + CSIMD_Q4_LINE * quad + 32 * part);
      __m256i x = _mm256_loadu_si256(source);
      __m256i low = _mm256_and_si256(x, mask);
      __m256i high = _mm256_and_si256(_mm256_srli_epi16(x, 4), mask);
      pairs[0][part] = _mm256_add_epi16(pairs[0][part], _mm256_maddubs_epi16(low, activations));
      pairs[1][part] = _mm256_add_epi16(pairs[1][part], _mm256_maddubs_epi16(high, activations));
    }
  }
  CSIMD_UNROLL
  for (int half = 0; half < 2; half++) {
    CSIMD_UNROLL
    for (int part = 0; part < 2; part++) {
      __m256i factor = q4_factors8(part == 0 ? words[half].low : words[half].high, group);
      __m256i both =
          _mm256_blend_epi16(factor, _mm256_slli_epi32(factor, 16), 0xaa);  // odd: upper halves
      __m256i value = _mm256_madd_epi16(_mm256_sub_epi16(pairs[half][part], surplus), both);
      __m256i *target = part == 0 ? &sum[half].low : &sum[half].high;
      *target = _mm256_add_epi32(*target, value);
    }
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
  const __m256i mask = _mm256_set1_epi8(15);
  CSIMD_UNROLL
  for (int half = 0; half < 2; half++) {
    CSIMD_UNROLL
    for (int part = 0; part < 2; part++) {
      __m256i signed32 = q4_factors8(part == 0 ? words[half].low : words[half].high, group);
      __m256i magnitude = _mm256_abs_epi32(signed32);
      __m256i factor = _mm256_or_si256(magnitude, _mm256_slli_epi32(magnitude, 16));
      __m256i flip = _mm256_srai_epi32(signed32, 31);
      // 128 - 8 · factor, and 1 more to make a complement a negation; the same byte four times.
      __m256i offset = _mm256_sub_epi32(_mm256_set1_epi32(128), _mm256_slli_epi32(signed32, 3));
      offset = _mm256_sub_epi32(offset, flip);
      __m256i base = _mm256_mullo_epi32(offset, _mm256_set1_epi32(0x01010101));
      for (int quad = 0; quad < CSIMD_Q4_GROUP / CSIMD_Q4_QUAD; quad++) {
        const __m256i *source = (const __m256i *)(codes + CSIMD_Q4_LINE * quad + 32 * part);
        __m256i x = _mm256_loadu_si256(source);
        __m256i code = _mm256_and_si256(half == 0 ? x : _mm256_srli_epi16(x, 4), mask);
        __m256i product = _mm256_mullo_epi16(code, factor);
        __m256i bytes = _mm256_add_epi8(_mm256_xor_si256(product, flip), base);
        _mm256_storeu_si256((__m256i *)(out + 128 * quad + 64 * half + 32 * part), bytes);
      }
    }
  }
}

CSIMD_REGION_END

#endif
