// SPDX-License-Identifier: Apache-2.0
// Sixteen f32 lanes in two AVX2 registers: the vocabulary of the shared kernel bodies.
#ifndef CSIMD_INTERNAL_VEC_AVX2_H
#define CSIMD_INTERNAL_VEC_AVX2_H

#include "q8_rows.h"
#include "region.h"
#include "tail_bytes.h"

// The macro expands `op` before it joins the parts.
#define CSIMD_JOIN(op) csimd_##op##__avx2
#define CSIMD_NAME(op) CSIMD_JOIN(op)

CSIMD_REGION_AVX2

#include "vec_x86.h"

typedef struct v16 {
  __m256 low, high;  // lanes 0 … 7 and 8 … 15
} v16;

typedef struct v16i {
  __m256i low, high;
} v16i;

/// All ones in the lanes of `base` … base + 7 that are below n.
CSIMD_INLINE __m256i v16_mask(size_t n, int base) {
  __m256i lanes =
      _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(base));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lanes);
}

// MARK: - Loads and stores; the suffix _n means the first n < 16 lanes, the others load as 0

CSIMD_INLINE v16 v16_zero(void) {
  return (v16){_mm256_setzero_ps(), _mm256_setzero_ps()};
}

CSIMD_INLINE v16 v16_set(float x) {
  return (v16){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

CSIMD_INLINE v16 v16_load(const float *p) {
  return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

CSIMD_INLINE v16 v16_load_n(const float *p, size_t n) {
  return (v16){_mm256_maskload_ps(p, v16_mask(n, 0)), _mm256_maskload_ps(p + 8, v16_mask(n, 8))};
}

CSIMD_INLINE void v16_store(float *p, v16 x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}

CSIMD_INLINE void v16_store_n(float *p, v16 x, size_t n) {
  _mm256_maskstore_ps(p, v16_mask(n, 0), x.low);
  _mm256_maskstore_ps(p + 8, v16_mask(n, 8), x.high);
}

CSIMD_INLINE __m256i v16_bits16_load(const uint16_t *p) {
  return _mm256_loadu_si256((const __m256i *)p);
}

// AVX2 has no masks for lanes of 8 and 16 bits.

/// The first n bytes of sixteen, the others are 0.
CSIMD_INLINE __m128i v16_bytes_load_n(const void *p, size_t n) {
  const uint8_t *at = p;
  if (n >= 16) {
    return _mm_loadu_si128((const __m128i *)at);
  }
  if (n >= 8) {
    __m128i high = _mm_cvtsi64_si128((int64_t)csimd_tail_bytes(at + 8, n - 8));
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)at), high);
  }
  return _mm_cvtsi64_si128((int64_t)csimd_tail_bytes(at, n));
}

CSIMD_INLINE __m256i v16_bits16_load_n(const uint16_t *p, size_t n) {
  __m128i high = n > 8 ? v16_bytes_load_n(p + 8, 2 * n - 16) : _mm_setzero_si128();
  return _mm256_set_m128i(high, v16_bytes_load_n(p, 2 * n));
}

CSIMD_INLINE void v16_bits16_store(uint16_t *p, __m256i x) {
  _mm256_storeu_si256((__m256i *)p, x);
}

CSIMD_INLINE void v16_bits16_store_n(uint16_t *p, __m256i x, size_t n) {
  uint16_t buffer[16];
  v16_bits16_store(buffer, x);
  __builtin_memcpy(p, buffer, n * sizeof *p);
}

CSIMD_INLINE __m128i v16_bits8_load(const int8_t *p) {
  return _mm_loadu_si128((const __m128i *)p);
}

CSIMD_INLINE __m128i v16_bits8_load_n(const int8_t *p, size_t n) {
  return v16_bytes_load_n(p, n);
}

// MARK: - Arithmetic

CSIMD_INLINE v16 v16_add(v16 a, v16 b) {
  return (v16){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}

CSIMD_INLINE v16 v16_sub(v16 a, v16 b) {
  return (v16){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}

CSIMD_INLINE v16 v16_mul(v16 a, v16 b) {
  return (v16){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}

CSIMD_INLINE v16 v16_div(v16 a, v16 b) {
  return (v16){_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}

CSIMD_INLINE v16 v16_sqrt(v16 x) {
  return (v16){_mm256_sqrt_ps(x.low), _mm256_sqrt_ps(x.high)};
}

CSIMD_INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
  return (v16){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

CSIMD_INLINE v16 v16_blend(v16 no, v16 yes, __m256i low, __m256i high) {
  return (v16){_mm256_blendv_ps(no.low, yes.low, _mm256_castsi256_ps(low)),
               _mm256_blendv_ps(no.high, yes.high, _mm256_castsi256_ps(high))};
}

/// a · b + c in the first n lanes, c in the others.
CSIMD_INLINE v16 v16_fma_n(v16 a, v16 b, v16 c, size_t n) {
  return v16_blend(c, v16_fma(a, b, c), v16_mask(n, 0), v16_mask(n, 8));
}

CSIMD_INLINE v16 v16_min(v16 a, v16 b) {
  return (v16){_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}

CSIMD_INLINE v16 v16_max(v16 a, v16 b) {
  return (v16){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}

CSIMD_INLINE v16 v16_abs(v16 x) {
  __m256 sign = _mm256_set1_ps(-0.0f);
  return (v16){_mm256_andnot_ps(sign, x.low), _mm256_andnot_ps(sign, x.high)};
}

CSIMD_INLINE v16 v16_negate(v16 x) {
  __m256 sign = _mm256_set1_ps(-0.0f);
  return (v16){_mm256_xor_ps(sign, x.low), _mm256_xor_ps(sign, x.high)};
}

/// x where it is a number, 0 where it is NaN.
CSIMD_INLINE v16 v16_nan_to_zero(v16 x) {
  return (v16){_mm256_and_ps(x.low, _mm256_cmp_ps(x.low, x.low, _CMP_ORD_Q)),
               _mm256_and_ps(x.high, _mm256_cmp_ps(x.high, x.high, _CMP_ORD_Q))};
}

/// x in lanes first … end - 1, `other` elsewhere.
CSIMD_INLINE v16 v16_keep(v16 x, size_t first, size_t end, v16 other) {
  return v16_blend(other,
                   x,
                   _mm256_andnot_si256(v16_mask(first, 0), v16_mask(end, 0)),
                   _mm256_andnot_si256(v16_mask(first, 8), v16_mask(end, 8)));
}

/// yes where x > 0, no elsewhere (NaN included).
CSIMD_INLINE v16 v16_if_positive(v16 x, v16 yes, v16 no) {
  __m256 zero = _mm256_setzero_ps();
  return (v16){
      _mm256_blendv_ps(no.low, yes.low, _mm256_cmp_ps(x.low, zero, _CMP_GT_OQ)),
      _mm256_blendv_ps(no.high, yes.high, _mm256_cmp_ps(x.high, zero, _CMP_GT_OQ)),
  };
}

/// p · 2^n, n = rounded - 1.5 · 2^23, in two factors so that the result is rounded once.
CSIMD_INLINE __m256 v8_scale_by_power(__m256 p, __m256 rounded, float round) {
  __m256i bias = _mm256_set1_epi32(127);
  __m256i whole =
      _mm256_sub_epi32(_mm256_castps_si256(rounded), _mm256_castps_si256(_mm256_set1_ps(round)));
  __m256i half = _mm256_srai_epi32(whole, 1);
  __m256i rest = _mm256_sub_epi32(whole, half);
  __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  __m256 second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(p, first), second);
}

CSIMD_INLINE v16 v16_scale_by_power(v16 p, v16 rounded, float round) {
  return (v16){v8_scale_by_power(p.low, rounded.low, round),
               v8_scale_by_power(p.high, rounded.high, round)};
}

// MARK: - Reductions

CSIMD_INLINE v4 v16_fold4(v16 x) {
  __m256 eight = _mm256_add_ps(x.low, x.high);
  return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
}

CSIMD_INLINE float v16_reduce_max(v16 x) {
  __m256 eight = _mm256_max_ps(x.low, x.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// MARK: - 16-bit floats

CSIMD_INLINE v16 v16_from_bf16(__m256i x) {
  __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(x));
  __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(x, 1));
  return (v16){_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)),
               _mm256_castsi256_ps(_mm256_slli_epi32(high, 16))};
}

CSIMD_INLINE __m256 v8_pair_low(__m256 pair) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pair), 16));
}

CSIMD_INLINE __m256 v8_pair_high(__m256 pair) {
  return _mm256_and_ps(pair, _mm256_castsi256_ps(_mm256_set1_epi32(-65536)));
}

CSIMD_INLINE __m256 v8_pair_join(__m256 low, __m256 high) {
  __m256i first = _mm256_srli_epi32(_mm256_castps_si256(low), 16);
  return _mm256_castsi256_ps(_mm256_or_si256(first, _mm256_castps_si256(high)));
}

/// The first bf16 of each lane's pair, as f32.
CSIMD_INLINE v16 v16_pair_low(v16 pair) {
  return (v16){v8_pair_low(pair.low), v8_pair_low(pair.high)};
}

/// The second bf16 of each lane's pair, as f32.
CSIMD_INLINE v16 v16_pair_high(v16 pair) {
  return (v16){v8_pair_high(pair.low), v8_pair_high(pair.high)};
}

/// Pairs of values that are bf16 already.
CSIMD_INLINE v16 v16_pair_join(v16 low, v16 high) {
  return (v16){v8_pair_join(low.low, high.low), v8_pair_join(low.high, high.high)};
}

/// Eight bf16 in the low halves of 32-bit lanes.
CSIMD_INLINE __m256i v8_to_bf16(__m256 x) {
  __m256i bits = _mm256_castps_si256(x);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}

CSIMD_INLINE __m256i v16_to_bf16(v16 x) {
  // PACKUSDW works on 128-bit halves; the permutation restores the order.
  __m256i packed = _mm256_packus_epi32(v8_to_bf16(x.low), v8_to_bf16(x.high));
  return _mm256_permute4x64_epi64(packed, 0xd8);
}

CSIMD_INLINE v16 v16_from_f16(__m256i x) {
  return (v16){_mm256_cvtph_ps(_mm256_castsi256_si128(x)),
               _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1))};
}

CSIMD_INLINE __m256i v16_to_f16(v16 x) {
  return _mm256_set_m128i(_mm256_cvtps_ph(x.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                          _mm256_cvtps_ph(x.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// MARK: - Integers

CSIMD_INLINE v16i v16i_zero(void) {
  return (v16i){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

CSIMD_INLINE v16i v16i_add(v16i a, v16i b) {
  return (v16i){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

CSIMD_INLINE int32_t v16i_reduce(v16i x) {
  __m256i eight = _mm256_add_epi32(x.low, x.high);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

CSIMD_INLINE v16 v16_from_int(v16i x) {
  return (v16){_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)};
}

/// Sixteen bytes, widened exactly.
CSIMD_INLINE v16 v16_from_s8(__m128i x) {
  return (v16){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)),
               _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(x, x)))};
}

/// Nearest integers, ties to even.
CSIMD_INLINE v16i v16_to_int(v16 x) {
  return (v16i){_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)};
}

/// Stores 16 integers that fit a byte.
CSIMD_INLINE void v16i_store_s8(int8_t *p, v16i x) {
  __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.low, x.high), 0xd8);
  __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128((__m128i *)p, bytes);
}

// MARK: - Packed int8

/// Where a group's accumulators start: codes are used as signed values, so there is no surplus.
CSIMD_INLINE v16i q8_start(int32_t sum) {
  (void)sum;
  return v16i_zero();
}

/// |w| as the unsigned operand and a · sign(w) as the signed one: with both within ±127 a pair of
/// products is at most 32,258 and VPMADDUBSW never saturates.
CSIMD_INLINE __m256i q8_add_products(__m256i acc, __m256i w, __m256i magnitude, __m256i a) {
  __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(a, w));
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/// Adds the products of four inputs: 32 weight rows at `w`, `rows` activation rows at `a`.
///
/// One register of weights at a time, so 4 · rows accumulators leave room for rows = 3.
CSIMD_INLINE void q8_step(
    v16i (*acc)[2], const uint8_t *w, const q8_rows *a, size_t offset, const int rows) {
  const __m256i flip = _mm256_set1_epi8((char)0x80);
  CSIMD_UNROLL
  for (int part = 0; part < 4; part++) {
    const __m256i *source = (const __m256i *)(w + 32 * part);
    __m256i codes = _mm256_xor_si256(_mm256_loadu_si256(source), flip);
    __m256i magnitude = _mm256_abs_epi8(codes);
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      v16i *target = &acc[i][part / 2];
      __m256i *half = part % 2 == 0 ? &target->low : &target->high;
      __m256i quad = _mm256_set1_epi32(q8_quad(a, i, offset));
      *half = q8_add_products(*half, codes, magnitude, quad);
    }
  }
}

// MARK: - Transposition

CSIMD_INLINE void v8_transpose(__m256 r[8]) {
  __m256 t[8], u[8];
  CSIMD_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  CSIMD_UNROLL
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  CSIMD_UNROLL
  for (int i = 0; i < 4; i++) {
    r[i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x20);
    r[4 + i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x31);
  }
}

/// Transposes a 16 × 16 matrix given by its rows.
CSIMD_INLINE void v16_transpose(v16 r[16]) {
  __m256 quarter[4][8];
  CSIMD_UNROLL
  for (int i = 0; i < 8; i++) {
    quarter[0][i] = r[i].low;
    quarter[1][i] = r[8 + i].low;
    quarter[2][i] = r[i].high;
    quarter[3][i] = r[8 + i].high;
  }
  CSIMD_UNROLL
  for (int q = 0; q < 4; q++) {
    v8_transpose(quarter[q]);
  }
  CSIMD_UNROLL
  for (int i = 0; i < 8; i++) {
    r[i] = (v16){quarter[0][i], quarter[1][i]};
    r[8 + i] = (v16){quarter[2][i], quarter[3][i]};
  }
}

CSIMD_REGION_END

#endif
