// SPDX-License-Identifier: Apache-2.0
// scalar_math.h on sixteen lanes, line by line: included inside a region after a vec_*.h.
#ifndef CSIMD_INTERNAL_VEC_MATH_H
#define CSIMD_INTERNAL_VEC_MATH_H

#include "../include/csimd.h"
#include "approximation.h"

/// Lanes l + 8, l + 4, l + 2 and l + 1 onto l, as csimd_reduce.
CSIMD_INLINE float v16_reduce(v16 x) {
  return v4_reduce(v16_fold4(x));
}

/// v16_reduce of four vectors in the order of four columns.
CSIMD_INLINE v4 v16_reduce4(v16 a, v16 b, v16 c, v16 d) {
  return v4_reduce4(v16_fold4(a), v16_fold4(b), v16_fold4(c), v16_fold4(d));
}

CSIMD_INLINE v16 v16_exp(v16 x) {
  x = v16_min(v16_set(CSIMD_EXP_LIMIT), v16_max(v16_set(-CSIMD_EXP_LIMIT), x));
  v16 rounded = v16_fma(x, v16_set(CSIMD_EXP_LOG2E), v16_set(CSIMD_EXP_ROUND));
  v16 n = v16_sub(rounded, v16_set(CSIMD_EXP_ROUND));
  v16 r = v16_fma(n, v16_set(-CSIMD_EXP_LN2_HIGH), x);
  r = v16_fma(n, v16_set(-CSIMD_EXP_LN2_LOW), r);
  v16 p = v16_fma(v16_set(CSIMD_EXP_C6), r, v16_set(CSIMD_EXP_C5));
  p = v16_fma(p, r, v16_set(CSIMD_EXP_C4));
  p = v16_fma(p, r, v16_set(CSIMD_EXP_C3));
  p = v16_fma(p, r, v16_set(CSIMD_EXP_C2));
  p = v16_fma(p, r, v16_set(1.0f));
  p = v16_fma(p, r, v16_set(1.0f));
  return v16_scale_by_power(p, rounded, CSIMD_EXP_ROUND);
}

CSIMD_INLINE v16 v16_times_sigmoid(v16 x, v16 y) {
  return v16_div(x, v16_add(v16_set(1.0f), v16_exp(v16_negate(y))));
}

CSIMD_INLINE v16 v16_gelu_exact(v16 x) {
  v16 a = v16_min(v16_set(CSIMD_TAIL_LIMIT), v16_abs(x));
  v16 t = v16_div(v16_set(1.0f), v16_fma(v16_set(CSIMD_TAIL_SLOPE), a, v16_set(1.0f)));
  v16 p = v16_fma(v16_set(CSIMD_TAIL_C8), t, v16_set(CSIMD_TAIL_C7));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C6));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C5));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C4));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C3));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C2));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C1));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C0));
  v16 e = v16_exp(v16_mul(v16_mul(v16_set(-0.5f), a), a));
  v16 tail = v16_mul(e, v16_mul(p, t));
  return v16_fma(v16_negate(a), tail, v16_max(v16_zero(), x));
}

/// One activation of sixteen lanes; `f` is a constant after inlining.
CSIMD_INLINE v16 v16_activate(const csimd_activation f, v16 x) {
  switch (f) {
    case csimd_gelu_tanh: {
      v16 slope = v16_fma(v16_set(CSIMD_GELU_CUBIC), v16_mul(x, x), v16_set(CSIMD_GELU_LINEAR));
      return v16_times_sigmoid(x, v16_mul(x, slope));
    }
    case csimd_gelu_erf:
      return v16_gelu_exact(x);
    case csimd_quick_gelu:
      return v16_times_sigmoid(x, v16_mul(v16_set(CSIMD_QUICK_GELU_SLOPE), x));
    case csimd_silu:
      return v16_times_sigmoid(x, x);
  }
  __builtin_unreachable();
}

#endif
