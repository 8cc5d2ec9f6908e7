// SPDX-License-Identifier: Apache-2.0
// Sixteen f32 lanes in one AVX-512 register: the vocabulary of the shared kernel bodies.
#ifndef CSIMD_INTERNAL_VEC_AVX512_H
#define CSIMD_INTERNAL_VEC_AVX512_H

#include "q8_rows.h"
#include "region.h"

// The macro expands `op` before it joins the parts.
#define CSIMD_JOIN(op) csimd_##op##__avx512vnni
#define CSIMD_NAME(op) CSIMD_JOIN(op)

CSIMD_REGION_AVX512VNNI

#include "vec_x86.h"

typedef __m512 v16;
typedef __m512i v16i;

CSIMD_INLINE __mmask16 v16_mask(size_t n) {
  return (__mmask16)((1u << n) - 1);
}

// MARK: - Loads and stores; the suffix _n means the first n < 16 lanes, the others load as 0

CSIMD_INLINE v16 v16_zero(void) {
  return _mm512_setzero_ps();
}

CSIMD_INLINE v16 v16_set(float x) {
  return _mm512_set1_ps(x);
}

CSIMD_INLINE v16 v16_load(const float *p) {
  return _mm512_loadu_ps(p);
}

CSIMD_INLINE v16 v16_load_n(const float *p, size_t n) {
  return _mm512_maskz_loadu_ps(v16_mask(n), p);
}

CSIMD_INLINE void v16_store(float *p, v16 x) {
  _mm512_storeu_ps(p, x);
}

CSIMD_INLINE void v16_store_n(float *p, v16 x, size_t n) {
  _mm512_mask_storeu_ps(p, v16_mask(n), x);
}

CSIMD_INLINE __m256i v16_bits16_load(const uint16_t *p) {
  return _mm256_loadu_si256((const __m256i *)p);
}

CSIMD_INLINE __m256i v16_bits16_load_n(const uint16_t *p, size_t n) {
  return _mm256_maskz_loadu_epi16(v16_mask(n), p);
}

CSIMD_INLINE void v16_bits16_store(uint16_t *p, __m256i x) {
  _mm256_storeu_si256((__m256i *)p, x);
}

CSIMD_INLINE void v16_bits16_store_n(uint16_t *p, __m256i x, size_t n) {
  _mm256_mask_storeu_epi16(p, v16_mask(n), x);
}

CSIMD_INLINE __m128i v16_bits8_load(const int8_t *p) {
  return _mm_loadu_si128((const __m128i *)p);
}

CSIMD_INLINE __m128i v16_bits8_load_n(const int8_t *p, size_t n) {
  return _mm_maskz_loadu_epi8(v16_mask(n), p);
}

// MARK: - Arithmetic

CSIMD_INLINE v16 v16_add(v16 a, v16 b) {
  return _mm512_add_ps(a, b);
}

CSIMD_INLINE v16 v16_sub(v16 a, v16 b) {
  return _mm512_sub_ps(a, b);
}

CSIMD_INLINE v16 v16_mul(v16 a, v16 b) {
  return _mm512_mul_ps(a, b);
}

CSIMD_INLINE v16 v16_div(v16 a, v16 b) {
  return _mm512_div_ps(a, b);
}

CSIMD_INLINE v16 v16_sqrt(v16 x) {
  return _mm512_sqrt_ps(x);
}

CSIMD_INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
  return _mm512_fmadd_ps(a, b, c);
}

/// a · b + c in the first n lanes, c in the others.
CSIMD_INLINE v16 v16_fma_n(v16 a, v16 b, v16 c, size_t n) {
  return _mm512_mask3_fmadd_ps(a, b, c, v16_mask(n));
}

CSIMD_INLINE v16 v16_min(v16 a, v16 b) {
  return _mm512_min_ps(a, b);
}

CSIMD_INLINE v16 v16_max(v16 a, v16 b) {
  return _mm512_max_ps(a, b);
}

CSIMD_INLINE v16 v16_abs(v16 x) {
  return _mm512_abs_ps(x);
}

CSIMD_INLINE v16 v16_negate(v16 x) {
  return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
}

/// x where it is a number, 0 where it is NaN.
CSIMD_INLINE v16 v16_nan_to_zero(v16 x) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
}

/// x in lanes first … end - 1, `other` elsewhere.
CSIMD_INLINE v16 v16_keep(v16 x, size_t first, size_t end, v16 other) {
  __mmask16 mask = (__mmask16)((1u << end) - (1u << first));
  return _mm512_mask_mov_ps(other, mask, x);
}

/// yes where x > 0, no elsewhere (NaN included).
CSIMD_INLINE v16 v16_if_positive(v16 x, v16 yes, v16 no) {
  return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), yes);
}

/// p · 2^n, n = rounded - 1.5 · 2^23.
CSIMD_INLINE v16 v16_scale_by_power(v16 p, v16 rounded, float round) {
  return _mm512_scalef_ps(p, _mm512_sub_ps(rounded, _mm512_set1_ps(round)));
}

// MARK: - Reductions

CSIMD_INLINE v4 v16_fold4(v16 x) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
}

CSIMD_INLINE float v16_reduce_max(v16 x) {
  return _mm512_reduce_max_ps(x);
}

// MARK: - 16-bit floats

CSIMD_INLINE v16 v16_from_bf16(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

CSIMD_INLINE __m256i v16_to_bf16(v16 x) {
  __m512i bits = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  __m512i result = _mm512_mask_mov_epi32(rounded, nan, quiet);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(result, 16));
}

/// The first bf16 of each lane's pair, as f32.
CSIMD_INLINE v16 v16_pair_low(v16 pair) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(pair), 16));
}

/// The second bf16 of each lane's pair, as f32.
CSIMD_INLINE v16 v16_pair_high(v16 pair) {
  return _mm512_and_ps(pair, _mm512_castsi512_ps(_mm512_set1_epi32(-65536)));
}

/// Pairs of values that are bf16 already.
CSIMD_INLINE v16 v16_pair_join(v16 low, v16 high) {
  __m512i first = _mm512_srli_epi32(_mm512_castps_si512(low), 16);
  return _mm512_castsi512_ps(_mm512_or_si512(first, _mm512_castps_si512(high)));
}

CSIMD_INLINE v16 v16_from_f16(__m256i x) {
  return _mm512_cvtph_ps(x);
}

CSIMD_INLINE __m256i v16_to_f16(v16 x) {
  return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// MARK: - Integers

CSIMD_INLINE v16i v16i_zero(void) {
  return _mm512_setzero_si512();
}

CSIMD_INLINE v16i v16i_add(v16i a, v16i b) {
  return _mm512_add_epi32(a, b);
}

CSIMD_INLINE int32_t v16i_reduce(v16i x) {
  return _mm512_reduce_add_epi32(x);
}

CSIMD_INLINE v16 v16_from_int(v16i x) {
  return _mm512_cvtepi32_ps(x);
}

/// Sixteen bytes, widened exactly.
CSIMD_INLINE v16 v16_from_s8(__m128i x) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(x));
}

/// Nearest integers, ties to even.
CSIMD_INLINE v16i v16_to_int(v16 x) {
  return _mm512_cvtps_epi32(x);
}

/// Stores 16 integers that fit a byte.
CSIMD_INLINE void v16i_store_s8(int8_t *p, v16i x) {
  _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x));
}

// MARK: - Packed int8

/// Where a group's accumulators start: VPDPBUSD multiplies by code + 128, and `sum` takes the
/// surplus back.
CSIMD_INLINE v16i q8_start(int32_t sum) {
  return _mm512_set1_epi32(sum);
}

/// Adds the products of four inputs: 32 weight rows at `w`, `rows` activation rows at `a`.
///
/// Two weight loads and `rows` broadcasts for 2 · rows VPDPBUSD.
CSIMD_INLINE void q8_step(
    v16i (*acc)[2], const uint8_t *w, const q8_rows *a, size_t offset, const int rows) {
  __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 64);
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    __m512i quad = _mm512_set1_epi32(q8_quad(a, i, offset));
    acc[i][0] = _mm512_dpbusd_epi32(acc[i][0], w0, quad);
    acc[i][1] = _mm512_dpbusd_epi32(acc[i][1], w1, quad);
  }
}

// MARK: - Transposition

/// Transposes a 16 × 16 matrix given by its rows.
CSIMD_INLINE void v16_transpose(v16 r[16]) {
  __m512 t[16], u[16];
  CSIMD_UNROLL
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  CSIMD_UNROLL
  for (int i = 0; i < 16; i += 4) {
    __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 1]);
    __m512d c = _mm512_castps_pd(t[i + 2]), d = _mm512_castps_pd(t[i + 3]);
    u[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    u[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    u[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    u[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
  CSIMD_UNROLL
  for (int i = 0; i < 4; i++) {
    __m512 x0 = _mm512_shuffle_f32x4(u[i], u[4 + i], 0x44);
    __m512 x1 = _mm512_shuffle_f32x4(u[i], u[4 + i], 0xee);
    __m512 y0 = _mm512_shuffle_f32x4(u[8 + i], u[12 + i], 0x44);
    __m512 y1 = _mm512_shuffle_f32x4(u[8 + i], u[12 + i], 0xee);
    r[i] = _mm512_shuffle_f32x4(x0, y0, 0x88);
    r[4 + i] = _mm512_shuffle_f32x4(x0, y0, 0xdd);
    r[8 + i] = _mm512_shuffle_f32x4(x1, y1, 0x88);
    r[12 + i] = _mm512_shuffle_f32x4(x1, y1, 0xdd);
  }
}

CSIMD_REGION_END

#endif
