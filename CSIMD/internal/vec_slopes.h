// SPDX-License-Identifier: Apache-2.0
// The derivatives of scalar_math.h on sixteen lanes: included inside a region after vec_math.h.
#ifndef CSIMD_INTERNAL_VEC_SLOPES_H
#define CSIMD_INTERNAL_VEC_SLOPES_H

#include "vec_math.h"

CSIMD_INLINE v16 v16_sigmoid_slope(v16 x, v16 u, v16 slope) {
  v16 one = v16_set(1.0f);
  v16 s = v16_div(one, v16_add(one, v16_exp(v16_negate(u))));
  return v16_fma(v16_mul(x, slope), v16_mul(s, v16_sub(one, s)), s);
}

CSIMD_INLINE v16 v16_gelu_exact_slope(v16 x) {
  v16 one = v16_set(1.0f);
  v16 a = v16_min(v16_set(CSIMD_TAIL_LIMIT), v16_abs(x));
  v16 t = v16_div(one, v16_fma(v16_set(CSIMD_TAIL_SLOPE), a, one));
  v16 p = v16_fma(v16_set(CSIMD_TAIL_C8), t, v16_set(CSIMD_TAIL_C7));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C6));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C5));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C4));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C3));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C2));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C1));
  p = v16_fma(p, t, v16_set(CSIMD_TAIL_C0));
  v16 e = v16_exp(v16_mul(v16_mul(v16_set(-0.5f), a), a));
  v16 peak = v16_negate(v16_mul(a, v16_set(CSIMD_NORMAL_PEAK)));
  v16 below = v16_fma(peak, e, v16_mul(e, v16_mul(p, t)));
  return v16_if_positive(x, v16_sub(one, below), below);
}

/// f'(x) of sixteen lanes; `f` is a constant after inlining.
CSIMD_INLINE v16 v16_activation_slope(const csimd_activation f, v16 x) {
  switch (f) {
    case csimd_gelu_tanh: {
      v16 square = v16_mul(x, x), linear = v16_set(CSIMD_GELU_LINEAR);
      v16 u = v16_mul(x, v16_fma(v16_set(CSIMD_GELU_CUBIC), square, linear));
      v16 slope = v16_fma(v16_set(3.0f * CSIMD_GELU_CUBIC), square, linear);
      return v16_sigmoid_slope(x, u, slope);
    }
    case csimd_gelu_erf:
      return v16_gelu_exact_slope(x);
    case csimd_quick_gelu: {
      v16 slope = v16_set(CSIMD_QUICK_GELU_SLOPE);
      return v16_sigmoid_slope(x, v16_mul(slope, x), slope);
    }
    case csimd_silu:
      return v16_sigmoid_slope(x, x, v16_set(1.0f));
  }
  __builtin_unreachable();
}

#endif
