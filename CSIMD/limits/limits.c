// SPDX-License-Identifier: Apache-2.0
// Register loops and a read loop that do nothing else: the most that this machine gives.
#include "../include/csimd_limits.h"
#include "../internal/region.h"

#include <string.h>

#if CSIMD_X86

#include <cpuid.h>

/// Keeps a result alive without storing it where others look.
static volatile uint32_t csimd_limit_sink;

static bool has_bf16(void) {
  uint32_t a, b, c, d;
  return csimd_isa_available(csimd_isa_avx512vnni) && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
         (a & 1u << 5) != 0;
}

// Sixteen independent sums hide the latency of 4 to 8 cycles at two instructions a cycle. The
// operands are the same each time: what is counted is the unit's rate, not the loads'.
enum { SUMS = 16 };

#define CSIMD_LIMIT_LOOP(type, zero, step)        \
  type sum[SUMS];                                 \
  CSIMD_UNROLL for (int i = 0; i < SUMS; i++) {   \
    sum[i] = zero;                                \
  }                                               \
  for (uint64_t n = 0; n < iterations; n++) {     \
    CSIMD_UNROLL for (int i = 0; i < SUMS; i++) { \
      sum[i] = step;                              \
      __asm__ volatile("" : "+v"(sum[i]));        \
    }                                             \
  }                                               \
  uint32_t bits = 0;                              \
  CSIMD_UNROLL for (int i = 0; i < SUMS; i++) {   \
    uint32_t word;                                \
    memcpy(&word, &sum[i], sizeof(word));         \
    bits ^= word;                                 \
  }                                               \
  csimd_limit_sink = bits

CSIMD_REGION_AVX512VNNI

static uint64_t i8_avx512vnni(uint64_t iterations) {
  __m512i a = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2);
  CSIMD_LIMIT_LOOP(__m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(sum[i], a, w));
  return iterations * SUMS * 64 * 2;
}

static uint64_t f32_avx512(uint64_t iterations) {
  __m512 a = _mm512_set1_ps(0.5f), w = _mm512_set1_ps(0.25f);
  CSIMD_LIMIT_LOOP(__m512, _mm512_setzero_ps(), _mm512_fmadd_ps(a, w, sum[i]));
  return iterations * SUMS * 16 * 2;
}

static uint64_t read_avx512(const uint8_t *data, size_t bytes) {
  __m512i sum[8];
  CSIMD_UNROLL for (int i = 0; i < 8; i++) {
    sum[i] = _mm512_setzero_si512();
  }
  for (size_t at = 0; at + 512 <= bytes; at += 512) {
    CSIMD_UNROLL for (int i = 0; i < 8; i++) {
      sum[i] = _mm512_xor_si512(sum[i], _mm512_loadu_si512(data + at + 64 * i));
    }
  }
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) {
    uint64_t words[8];
    _mm512_storeu_si512(words, sum[i]);
    for (int j = 0; j < 8; j++) {
      bits ^= words[j];
    }
  }
  return bits;
}

CSIMD_REGION_END

CSIMD_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

static uint64_t bf16_avx512(uint64_t iterations) {
  __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f));
  __m512bh w = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.25f), _mm512_set1_ps(0.25f));
  CSIMD_LIMIT_LOOP(__m512, _mm512_setzero_ps(), _mm512_dpbf16_ps(sum[i], a, w));
  return iterations * SUMS * 32 * 2;
}

CSIMD_REGION_END

CSIMD_REGION_AVX2

// Without VNNI a product of four pairs takes three instructions.
static __m256i dot_avx2(__m256i sum, __m256i a, __m256i w, __m256i ones) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, w), ones));
}

static uint64_t i8_avx2(uint64_t iterations) {
  __m256i a = _mm256_set1_epi8(3), w = _mm256_set1_epi8(-2), ones = _mm256_set1_epi16(1);
  // Hidden from the compiler, which would take the invariant product out of the loop.
  __asm__ volatile("" : "+x"(a), "+x"(w), "+x"(ones));
  __m256i sum[8];
  CSIMD_UNROLL for (int i = 0; i < 8; i++) {
    sum[i] = _mm256_setzero_si256();
  }
  for (uint64_t n = 0; n < iterations; n++) {
    CSIMD_UNROLL for (int i = 0; i < 8; i++) {
      __m256i fresh = a;
      __asm__ volatile("" : "+x"(fresh));
      sum[i] = dot_avx2(sum[i], fresh, w, ones);
      __asm__ volatile("" : "+x"(sum[i]));
    }
  }
  uint32_t bits = 0;
  for (int i = 0; i < 8; i++) {
    bits ^= (uint32_t)_mm256_extract_epi32(sum[i], 0);
  }
  csimd_limit_sink = bits;
  return iterations * 8 * 32 * 2;
}

static uint64_t f32_avx2(uint64_t iterations) {
  __m256 a = _mm256_set1_ps(0.5f), w = _mm256_set1_ps(0.25f), sum[12];
  CSIMD_UNROLL for (int i = 0; i < 12; i++) {
    sum[i] = _mm256_setzero_ps();
  }
  for (uint64_t n = 0; n < iterations; n++) {
    CSIMD_UNROLL for (int i = 0; i < 12; i++) {
      sum[i] = _mm256_fmadd_ps(a, w, sum[i]);
      __asm__ volatile("" : "+x"(sum[i]));
    }
  }
  uint32_t bits = 0;
  for (int i = 0; i < 12; i++) {
    bits ^= (uint32_t)_mm256_extract_epi32(_mm256_castps_si256(sum[i]), 0);
  }
  csimd_limit_sink = bits;
  return iterations * 12 * 8 * 2;
}

static uint64_t read_avx2(const uint8_t *data, size_t bytes) {
  __m256i sum[8];
  CSIMD_UNROLL for (int i = 0; i < 8; i++) {
    sum[i] = _mm256_setzero_si256();
  }
  for (size_t at = 0; at + 512 <= bytes; at += 512) {
    CSIMD_UNROLL for (int i = 0; i < 16; i++) {
      __m256i word = _mm256_loadu_si256((const __m256i *)(data + at + 32 * i));
      sum[i % 8] = _mm256_xor_si256(sum[i % 8], word);
    }
  }
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) {
    bits ^= (uint64_t)_mm256_extract_epi64(sum[i], 0) ^ (uint64_t)_mm256_extract_epi64(sum[i], 1) ^
            (uint64_t)_mm256_extract_epi64(sum[i], 2) ^ (uint64_t)_mm256_extract_epi64(sum[i], 3);
  }
  return bits;
}

CSIMD_REGION_END

#endif

static uint64_t read_scalar(const uint8_t *data, size_t bytes) {
  uint64_t sum[64] = {0};
  for (size_t at = 0; at + 512 <= bytes; at += 512) {
    uint64_t words[64];
    memcpy(words, data + at, sizeof(words));
    for (int i = 0; i < 64; i++) {
      sum[i] ^= words[i];
    }
  }
  for (int i = 1; i < 64; i++) {
    sum[0] ^= sum[i];
  }
  return sum[0];
}

bool csimd_limit_available(csimd_limit limit, csimd_isa isa) {
#if CSIMD_X86
  if (isa == csimd_isa_scalar || !csimd_isa_available(isa)) {
    return false;
  }
  return limit != csimd_limit_bf16 || (isa == csimd_isa_avx512vnni && has_bf16());
#else
  (void)limit, (void)isa;
  return false;
#endif
}

uint64_t csimd_limit_run(csimd_limit limit, csimd_isa isa, uint64_t iterations) {
  if (!csimd_limit_available(limit, isa)) {
    return 0;
  }
#if CSIMD_X86
  bool wide = isa == csimd_isa_avx512vnni;
  switch (limit) {
    case csimd_limit_i8:
      return wide ? i8_avx512vnni(iterations) : i8_avx2(iterations);
    case csimd_limit_bf16:
      return bf16_avx512(iterations);
    case csimd_limit_f32:
      return wide ? f32_avx512(iterations) : f32_avx2(iterations);
  }
#endif
  (void)iterations;
  return 0;
}

uint64_t csimd_limit_read(const void *data, size_t bytes, csimd_isa isa) {
#if CSIMD_X86
  if (isa == csimd_isa_avx512vnni && csimd_isa_available(isa)) {
    return read_avx512(data, bytes);
  }
  if (isa == csimd_isa_avx2 && csimd_isa_available(isa)) {
    return read_avx2(data, bytes);
  }
#endif
  (void)isa;
  return read_scalar(data, bytes);
}
