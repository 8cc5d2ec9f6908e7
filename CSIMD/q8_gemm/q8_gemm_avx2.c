// SPDX-License-Identifier: Apache-2.0
// AVX2: int8 activations [m, k] times packed int8 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx2.h"

// Products of 16-bit values: VPMADDWD and VPADDD twice for 32 products. VPMADDUBSW takes one of
// each, but needs the signs moved from weights to activations first (u8 + 128 saturates), and
// VPSIGNB runs where the multiplies run. 10 sums, 4 registers of weights parted into even and odd
// inputs, 1 of activations: 12 loads and 4 partings for 20 VPMADDWD.
#define CSIMD_Q8_TILE 5
#define Q8_SPAN ((size_t)256)
#define Q8_CHUNK 4

CSIMD_REGION_AVX2

/// A span of inputs in 16 bits: for each quad its inputs 0 and 2 as one word, then 1 and 3.
typedef struct q8_inputs {
  _Alignas(32) int32_t words[CSIMD_Q8_TILE][256 / 2];
} q8_inputs;

CSIMD_INLINE void q8_tile_prepare(
    q8_inputs *inputs, const int8_t *codes, size_t stride, size_t count, const int rows) {
  for (size_t i = 0; i < (size_t)rows; i++) {
    __m256i *target = (__m256i *)inputs->words[i];
    for (size_t k = 0; k < count; k += 32) {
      __m256i x = _mm256_loadu_si256((const __m256i *)(codes + i * stride + k));
      __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8), odd = _mm256_srai_epi16(x, 8);
      __m256i low = _mm256_unpacklo_epi32(even, odd), high = _mm256_unpackhi_epi32(even, odd);
      _mm256_store_si256(target++, _mm256_permute2x128_si256(low, high, 0x20));
      _mm256_store_si256(target++, _mm256_permute2x128_si256(low, high, 0x31));
    }
  }
}

CSIMD_INLINE void q8_tile_start(v16i *sums, const int32_t *surplus, size_t stride, const int rows) {
  // Weights are code + 128, and the surplus is taken back here.
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    __m256i start = _mm256_set1_epi32(surplus[(size_t)i * stride]);
    sums[i] = (v16i){start, start};
  }
}

/// Has a row's sums in registers here, and later loads later: left alone, the compiler overlaps
/// rows and steps until the sums no longer fit.
CSIMD_INLINE void settle(v16i *sums) {
  __asm__ volatile("" : "+x"(sums->low), "+x"(sums->high)::"memory");
}

CSIMD_INLINE void q8_tile_add(
    v16i *sums, const uint8_t *w, const q8_inputs *a, size_t k, const int rows) {
  __m256i even[2], odd[2];
  CSIMD_UNROLL
  for (int part = 0; part < 2; part++) {
    __m256i codes = _mm256_load_si256((const __m256i *)(w + 32 * part));
    even[part] = _mm256_and_si256(codes, _mm256_set1_epi16(0xff));
    odd[part] = _mm256_srli_epi16(codes, 8);
  }
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    __m256i first = _mm256_set1_epi32(a->words[i][k / 2]);
    __m256i second = _mm256_set1_epi32(a->words[i][k / 2 + 1]);
    sums[i].low = _mm256_add_epi32(sums[i].low, _mm256_madd_epi16(even[0], first));
    sums[i].high = _mm256_add_epi32(sums[i].high, _mm256_madd_epi16(even[1], first));
    settle(&sums[i]);
    sums[i].low = _mm256_add_epi32(sums[i].low, _mm256_madd_epi16(odd[0], second));
    sums[i].high = _mm256_add_epi32(sums[i].high, _mm256_madd_epi16(odd[1], second));
    settle(&sums[i]);
  }
}

CSIMD_INLINE void q8_tile_finish(v16i *sums, const int rows) {
  (void)sums, (void)rows;  // in order already
}

#include "q8_gemm_half.h"

CSIMD_REGION_END

#endif
