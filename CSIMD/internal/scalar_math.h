// SPDX-License-Identifier: Apache-2.0
// The reference arithmetic of one element: what every instruction set computes in each lane.
#ifndef CSIMD_INTERNAL_SCALAR_MATH_H
#define CSIMD_INTERNAL_SCALAR_MATH_H

#include "../include/csimd.h"
#include "approximation.h"
#include "code_scale.h"
#include "region.h"

#include <string.h>

enum { CSIMD_LANES = 16 };

CSIMD_INLINE uint32_t csimd_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

CSIMD_INLINE float csimd_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// The x86 rule: the second operand when either is NaN or both are zeros.
CSIMD_INLINE float csimd_min(float a, float b) {
  return a < b ? a : b;
}

CSIMD_INLINE float csimd_max(float a, float b) {
  return a > b ? a : b;
}

CSIMD_INLINE float csimd_fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}

/// Adds lane l + 8 to l, then l + 4, l + 2 and l + 1: the reduction of every 16-lane sum.
CSIMD_INLINE float csimd_reduce(float lanes[CSIMD_LANES]) {
  for (size_t step = CSIMD_LANES / 2; step > 0; step /= 2) {
    for (size_t l = 0; l < step; l++) {
      lanes[l] = lanes[l] + lanes[l + step];
    }
  }
  return lanes[0];
}

/// e^x within 1 unit in the last place; 0 below -104, ∞ above 88.73, NaN for NaN.
CSIMD_INLINE float csimd_exp(float x) {
  x = csimd_min(CSIMD_EXP_LIMIT, csimd_max(-CSIMD_EXP_LIMIT, x));
  float rounded = csimd_fma(x, CSIMD_EXP_LOG2E, CSIMD_EXP_ROUND);
  float n = rounded - CSIMD_EXP_ROUND;
  float r = csimd_fma(n, -CSIMD_EXP_LN2_HIGH, x);
  r = csimd_fma(n, -CSIMD_EXP_LN2_LOW, r);
  float p = csimd_fma(CSIMD_EXP_C6, r, CSIMD_EXP_C5);
  p = csimd_fma(p, r, CSIMD_EXP_C4);
  p = csimd_fma(p, r, CSIMD_EXP_C3);
  p = csimd_fma(p, r, CSIMD_EXP_C2);
  p = csimd_fma(p, r, 1.0f);
  p = csimd_fma(p, r, 1.0f);
  // 2^n in two factors: the first product is exact, so the result is rounded once even when it is
  // subnormal. Unsigned arithmetic keeps NaN's meaningless integer defined.
  uint32_t whole = csimd_bits(rounded) - csimd_bits(CSIMD_EXP_ROUND);
  uint32_t half = (uint32_t)((int32_t)whole >> 1);
  return p * csimd_float((half + 127) << 23) * csimd_float((whole - half + 127) << 23);
}

/// x · sigmoid(y) as one division: no cancellation for small or large y.
CSIMD_INLINE float csimd_times_sigmoid(float x, float y) {
  return x / (1.0f + csimd_exp(-y));
}

/// x · Φ(x) = max(x, 0) - |x| · Φ(-|x|): relative accuracy on both sides.
CSIMD_INLINE float csimd_gelu_exact(float x) {
  float a = csimd_min(CSIMD_TAIL_LIMIT, __builtin_fabsf(x));
  float t = 1.0f / csimd_fma(CSIMD_TAIL_SLOPE, a, 1.0f);
  float p = csimd_fma(CSIMD_TAIL_C8, t, CSIMD_TAIL_C7);
  p = csimd_fma(p, t, CSIMD_TAIL_C6);
  p = csimd_fma(p, t, CSIMD_TAIL_C5);
  p = csimd_fma(p, t, CSIMD_TAIL_C4);
  p = csimd_fma(p, t, CSIMD_TAIL_C3);
  p = csimd_fma(p, t, CSIMD_TAIL_C2);
  p = csimd_fma(p, t, CSIMD_TAIL_C1);
  p = csimd_fma(p, t, CSIMD_TAIL_C0);
  float tail = csimd_exp(-0.5f * a * a) * (p * t);
  return csimd_fma(-a, tail, csimd_max(0.0f, x));
}

CSIMD_INLINE float csimd_activate_one(csimd_activation f, float x) {
  switch (f) {
    case csimd_gelu_tanh:
      return csimd_times_sigmoid(x, x * csimd_fma(CSIMD_GELU_CUBIC, x * x, CSIMD_GELU_LINEAR));
    case csimd_gelu_erf:
      return csimd_gelu_exact(x);
    case csimd_quick_gelu:
      return csimd_times_sigmoid(x, CSIMD_QUICK_GELU_SLOPE * x);
    case csimd_silu:
      return csimd_times_sigmoid(x, x);
  }
  __builtin_unreachable();
}

// MARK: - Derivatives

/// d/dx of x · s(u), s = 1 / (1 + exp(-u)), where du/dx = slope.
CSIMD_INLINE float csimd_sigmoid_slope(float x, float u, float slope) {
  float s = 1.0f / (1.0f + csimd_exp(-u));
  return csimd_fma(x * slope, s * (1.0f - s), s);
}

/// d/dx of x · Φ(x) = Φ(x) + x · φ(x), Φ from the tail as in csimd_gelu_exact.
CSIMD_INLINE float csimd_gelu_exact_slope(float x) {
  float a = csimd_min(CSIMD_TAIL_LIMIT, __builtin_fabsf(x));
  float t = 1.0f / csimd_fma(CSIMD_TAIL_SLOPE, a, 1.0f);
  float p = csimd_fma(CSIMD_TAIL_C8, t, CSIMD_TAIL_C7);
  p = csimd_fma(p, t, CSIMD_TAIL_C6);
  p = csimd_fma(p, t, CSIMD_TAIL_C5);
  p = csimd_fma(p, t, CSIMD_TAIL_C4);
  p = csimd_fma(p, t, CSIMD_TAIL_C3);
  p = csimd_fma(p, t, CSIMD_TAIL_C2);
  p = csimd_fma(p, t, CSIMD_TAIL_C1);
  p = csimd_fma(p, t, CSIMD_TAIL_C0);
  float e = csimd_exp(-0.5f * a * a);
  // For x ≥ 0 the slope is 1 - (tail - a · φ), for x < 0 it is tail - a · φ.
  float below = csimd_fma(-(a * CSIMD_NORMAL_PEAK), e, e * (p * t));
  return x > 0.0f ? 1.0f - below : below;
}

CSIMD_INLINE float csimd_activation_slope(csimd_activation f, float x) {
  switch (f) {
    case csimd_gelu_tanh: {
      float square = x * x;
      float u = x * csimd_fma(CSIMD_GELU_CUBIC, square, CSIMD_GELU_LINEAR);
      float slope = csimd_fma(3.0f * CSIMD_GELU_CUBIC, square, CSIMD_GELU_LINEAR);
      return csimd_sigmoid_slope(x, u, slope);
    }
    case csimd_gelu_erf:
      return csimd_gelu_exact_slope(x);
    case csimd_quick_gelu:
      return csimd_sigmoid_slope(x, CSIMD_QUICK_GELU_SLOPE * x, CSIMD_QUICK_GELU_SLOPE);
    case csimd_silu:
      return csimd_sigmoid_slope(x, x, 1.0f);
  }
  __builtin_unreachable();
}

// MARK: - int8 codes

/// The scale of `count` values: their largest magnitude / 127; NaN does not count.
CSIMD_INLINE float csimd_row_scale(const float *x, size_t count) {
  float absmax = 0;
  for (size_t j = 0; j < count; j++) {
    absmax = csimd_max(__builtin_fabsf(x[j]), absmax);
  }
  return csimd_code_scale(absmax);
}

/// x / scale to the nearest integer within ±127, ties to even; NaN is 0.
CSIMD_INLINE int8_t csimd_code(float x, float scale) {
  float q = x / csimd_code_divisor(scale);
  return q != q ? 0 : (int8_t)__builtin_rintf(csimd_min(127.0f, csimd_max(-127.0f, q)));
}

// MARK: - 16-bit floats

CSIMD_INLINE float csimd_from_bf16(uint16_t x) {
  return csimd_float((uint32_t)x << 16);
}

/// Nearest even; a NaN keeps its sign and top payload bits and becomes quiet.
CSIMD_INLINE uint16_t csimd_to_bf16(float x) {
  uint32_t bits = csimd_bits(x);
  if ((bits & 0x7fffffff) > 0x7f800000) {
    return (uint16_t)(bits >> 16 | 0x40);
  }
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Exact; signalling NaNs become quiet as in VCVTPH2PS.
CSIMD_INLINE float csimd_from_f16(uint16_t x) {
  uint32_t sign = (uint32_t)(x & 0x8000) << 16;
  uint32_t exponent = x >> 10 & 0x1f, mantissa = x & 0x3ff;
  if (exponent == 0) {
    return csimd_float(csimd_bits((float)mantissa * 0x1p-24f) | sign);
  }
  if (exponent == 0x1f) {
    return csimd_float(sign | 0x7f800000 | mantissa << 13 | (mantissa != 0 ? 0x400000 : 0));
  }
  return csimd_float(sign | (exponent + 112) << 23 | mantissa << 13);
}

/// Nearest even, overflow to ∞, as VCVTPS2PH.
CSIMD_INLINE uint16_t csimd_to_f16(float x) {
  uint32_t bits = csimd_bits(x), magnitude = bits & 0x7fffffff;
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000) {
    return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  }
  if (magnitude >= 0x477ff000) {
    return sign | 0x7c00;  // 65520 and above round to ∞
  }
  if (magnitude < 0x38800000) {
    // Below 2^-14 the result is subnormal: adding 1/2 rounds to multiples of 2^-24.
    return (uint16_t)(sign | (csimd_bits(csimd_float(magnitude) + 0.5f) - csimd_bits(0.5f)));
  }
  uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return (uint16_t)(sign | (rounded - (112u << 23)) >> 13);
}

#endif
