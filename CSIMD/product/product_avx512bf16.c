// SPDX-License-Identifier: Apache-2.0
// AVX-512 BF16: products of two matrices, two values of k at a time.
#include "../dispatch/train_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

#include <string.h>

#define PRODUCT_ROWS 12
#define PRODUCT_COLUMNS 2
#define PRODUCT_DEPTH 2
#define PRODUCT_ADD(acc, a, b) _mm512_dpbf16_ps(acc, (__m512bh)(a), (__m512bh)(b))

CSIMD_REGION_AVX512BF16

CSIMD_INLINE __mmask32 product_mask32(size_t n) {
  return n >= 32 ? 0xffffffffu : (1u << n) - 1;
}

/// Up to 32 stored values from `p` on as 16 pairs.
CSIMD_INLINE v16 product_pairs(const void *data, size_t index, size_t n, const bool is_bf16) {
  if (is_bf16) {
    const uint16_t *p = (const uint16_t *)data + index;
    return _mm512_castsi512_ps(n >= 32 ? _mm512_loadu_si512(p)
                                       : _mm512_maskz_loadu_epi16(product_mask32(n), p));
  }
  const float *p = (const float *)data + index;
  v16 low = n >= 16 ? v16_load(p) : v16_load_n(p, n);
  v16 high = n >= 32 ? v16_load(p + 16) : n > 16 ? v16_load_n(p + 16, n - 16) : v16_zero();
  return (v16)_mm512_cvtne2ps_pbh(high, low);
}

/// Up to 16 stored values from `index` on as the low halves of 16 pairs.
CSIMD_INLINE __m512i product_halves(const void *data, size_t index, size_t n, const bool is_bf16) {
  if (is_bf16) {
    const uint16_t *p = (const uint16_t *)data + index;
    return _mm512_cvtepu16_epi32(n >= 16 ? v16_bits16_load(p) : v16_bits16_load_n(p, n));
  }
  const float *p = (const float *)data + index;
  v16 x = n >= 16 ? v16_load(p) : v16_load_n(p, n);
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
}

/// Two stored rows along the lanes, from `even` and `odd` on, as `n` pairs.
CSIMD_INLINE v16
product_zip(const void *data, size_t even, size_t odd, const size_t n, const bool is_bf16) {
  // Lane i takes the low half from place i, the high half from place 16 + i.
  const __m512i order = _mm512_set_epi16(31,
                                         15,
                                         30,
                                         14,
                                         29,
                                         13,
                                         28,
                                         12,
                                         27,
                                         11,
                                         26,
                                         10,
                                         25,
                                         9,
                                         24,
                                         8,
                                         23,
                                         7,
                                         22,
                                         6,
                                         21,
                                         5,
                                         20,
                                         4,
                                         19,
                                         3,
                                         18,
                                         2,
                                         17,
                                         1,
                                         16,
                                         0);
  __m512i halves;
  if (is_bf16) {
    const uint16_t *p = (const uint16_t *)data;
    __m256i low = n >= 16 ? v16_bits16_load(p + even) : v16_bits16_load_n(p + even, n);
    __m256i high = n >= 16 ? v16_bits16_load(p + odd) : v16_bits16_load_n(p + odd, n);
    halves = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  } else {
    const float *p = (const float *)data;
    v16 low = n >= 16 ? v16_load(p + even) : v16_load_n(p + even, n);
    v16 high = n >= 16 ? v16_load(p + odd) : v16_load_n(p + odd, n);
    halves = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  }
  return _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves));
}

/// Stored rows run along the lanes: two at a time are interleaved.
CSIMD_INLINE void product_pack_by_step(const void *data,
                                       size_t stride,
                                       size_t valid,
                                       size_t depth,
                                       float *panel,
                                       const size_t width,
                                       const size_t own,
                                       const bool is_bf16) {
  size_t p = 0;
  if (valid == own) {
    for (; p + 2 <= depth; p += 2) {
      v16 pairs = product_zip(data, p * stride, (p + 1) * stride, own, is_bf16);
      v16_store_n(panel + p / 2 * width, pairs, own);
    }
  }
  for (; p < depth; p += 2) {
    __m512i pairs = _mm512_setzero_si512();
    if (valid > 0) {
      pairs = product_halves(data, p * stride, valid, is_bf16);
    }
    if (valid > 0 && p + 1 < depth) {
      __m512i odd = product_halves(data, (p + 1) * stride, valid, is_bf16);
      pairs = _mm512_or_si512(pairs, _mm512_slli_epi32(odd, 16));
    }
    v16_store_n(panel + p / 2 * width, _mm512_castsi512_ps(pairs), own);
  }
}

/// Stored rows run along k: blocks of 16 lanes by 16 pairs are transposed.
CSIMD_INLINE void product_pack_by_lane(const void *data,
                                       size_t stride,
                                       size_t valid,
                                       size_t depth,
                                       float *panel,
                                       const size_t width,
                                       const size_t own,
                                       const bool is_bf16) {
  size_t p = 0;
  // Whole blocks without a question asked: two thirds of the packing time of narrow products.
  if (valid == own) {
    for (; p + 32 <= depth; p += 32) {
      v16 r[16];
      CSIMD_UNROLL
      for (size_t i = 0; i < 16; i++) {
        r[i] = i < own ? product_pairs(data, i * stride + p, 32, is_bf16) : v16_zero();
      }
      v16_transpose(r);
      CSIMD_UNROLL
      for (size_t i = 0; i < 16; i++) {
        v16_store_n(panel + (p / 2 + i) * width, r[i], own);
      }
    }
  }
  for (; p < depth; p += 32) {
    size_t left = depth - p < 32 ? depth - p : 32;
    v16 r[16];
    CSIMD_UNROLL
    for (size_t i = 0; i < 16; i++) {
      r[i] = i < own && i < valid ? product_pairs(data, i * stride + p, left, is_bf16) : v16_zero();
    }
    v16_transpose(r);
    CSIMD_UNROLL
    for (size_t i = 0; i < 16; i++) {
      if (2 * i < left) {
        v16_store_n(panel + (p / 2 + i) * width, r[i], own);
      }
    }
  }
}

CSIMD_INLINE void product_pack_pairs(const void *data,
                                     size_t stride,
                                     bool by_lane,
                                     size_t lanes,
                                     size_t depth,
                                     float *panel,
                                     const int width,
                                     const bool is_bf16) {
  const size_t size = is_bf16 ? 2 : 4;
  for (int l = 0; l < width; l += 16) {
    const size_t own = width - l < 16 ? (size_t)(width - l) : 16;
    size_t valid = lanes > (size_t)l ? lanes - (size_t)l : 0;
    valid = valid < own ? valid : own;
    const char *from = (const char *)data + (by_lane ? (size_t)l * stride : (size_t)l) * size;
    if (by_lane) {
      product_pack_by_lane(from, stride, valid, depth, panel + l, (size_t)width, own, is_bf16);
    } else {
      product_pack_by_step(from, stride, valid, depth, panel + l, (size_t)width, own, is_bf16);
    }
  }
}

CSIMD_INLINE void product_pack(const csimd_operand *o,
                               bool by_lane,
                               size_t lane,
                               size_t lanes,
                               size_t p,
                               size_t depth,
                               float *panel,
                               const int width,
                               const bool rounds) {
  (void)rounds;
  bool is_bf16 = o->type == csimd_bf16;
  size_t start = by_lane ? lane * o->stride + p : p * o->stride + lane;
  const char *data = (const char *)o->data + start * (is_bf16 ? 2 : 4);
  if (is_bf16) {
    product_pack_pairs(data, o->stride, by_lane, lanes, depth, panel, width, true);
  } else {
    product_pack_pairs(data, o->stride, by_lane, lanes, depth, panel, width, false);
  }
}

#include "product_blocks.h"

void csimd_bf16_product__avx512bf16(const csimd_product *x) {
  run_product(x, true);
}

CSIMD_REGION_END

#endif
