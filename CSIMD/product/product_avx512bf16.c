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

CSIMD_INLINE void product_pack_pairs(const void *data,
                                     size_t stride,
                                     bool by_lane,
                                     size_t lanes,
                                     size_t depth,
                                     float *panel,
                                     const int width,
                                     const bool is_bf16) {
  for (int l = 0; l < width; l += 16) {
    const int own = width - l < 16 ? width - l : 16;
    size_t valid = lanes > (size_t)l ? lanes - (size_t)l : 0;
    valid = valid < (size_t)own ? valid : (size_t)own;
    if (!by_lane) {
      for (size_t p = 0; p < depth; p += 2) {
        __m512i pairs = _mm512_setzero_si512();
        if (valid > 0) {
          pairs = product_halves(data, p * stride + (size_t)l, valid, is_bf16);
        }
        if (valid > 0 && p + 1 < depth) {
          __m512i odd = product_halves(data, (p + 1) * stride + (size_t)l, valid, is_bf16);
          pairs = _mm512_or_si512(pairs, _mm512_slli_epi32(odd, 16));
        }
        v16_store_n(panel + p / 2 * (size_t)width + l, _mm512_castsi512_ps(pairs), (size_t)own);
      }
      continue;
    }
    for (size_t p = 0; p < depth; p += 32) {
      size_t left = depth - p < 32 ? depth - p : 32;
      v16 r[16];
      CSIMD_UNROLL
      for (int i = 0; i < 16; i++) {
        r[i] = i < own && (size_t)i < valid
                   ? product_pairs(data, (size_t)(l + i) * stride + p, left, is_bf16)
                   : v16_zero();
      }
      v16_transpose(r);
      CSIMD_UNROLL
      for (int i = 0; i < 16; i++) {
        if ((size_t)(2 * i) < left) {
          v16_store_n(panel + (p / 2 + (size_t)i) * (size_t)width + l, r[i], (size_t)own);
        }
      }
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
