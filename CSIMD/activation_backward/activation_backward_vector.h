// SPDX-License-Identifier: Apache-2.0
// Bodies of activate_backward and gate_backward: one loop for each function.
#include "../internal/vec_slopes.h"

CSIMD_INLINE v16 slopes_load(const float *p, size_t n) {
  return n >= 16 ? v16_load(p) : v16_load_n(p, n);
}

CSIMD_INLINE void slopes_store(float *p, v16 x, size_t n) {
  if (n >= 16) {
    v16_store(p, x);
  } else {
    v16_store_n(p, x, n);
  }
}

CSIMD_INLINE void activate_backward_all(
    const csimd_activation f, const float *x, const float *dy, float *dx, size_t count) {
  for (size_t i = 0; i < count; i += 16) {
    v16 slope = v16_activation_slope(f, slopes_load(x + i, count - i));
    slopes_store(dx + i, v16_mul(slopes_load(dy + i, count - i), slope), count - i);
  }
}

CSIMD_INLINE void gate_backward_all(const csimd_activation f,
                                    const float *gate,
                                    const float *up,
                                    const float *dy,
                                    float *dgate,
                                    float *dup,
                                    size_t count) {
  for (size_t i = 0; i < count; i += 16) {
    v16 g = slopes_load(gate + i, count - i), u = slopes_load(up + i, count - i);
    v16 d = slopes_load(dy + i, count - i);
    slopes_store(dgate + i, v16_mul(v16_mul(d, u), v16_activation_slope(f, g)), count - i);
    slopes_store(dup + i, v16_mul(d, v16_activate(f, g)), count - i);
  }
}

void CSIMD_NAME(activate_backward)(
    csimd_activation f, const float *x, const float *dy, float *dx, size_t count) {
  switch (f) {
    case csimd_gelu_tanh:
      return activate_backward_all(csimd_gelu_tanh, x, dy, dx, count);
    case csimd_gelu_erf:
      return activate_backward_all(csimd_gelu_erf, x, dy, dx, count);
    case csimd_quick_gelu:
      return activate_backward_all(csimd_quick_gelu, x, dy, dx, count);
    case csimd_silu:
      return activate_backward_all(csimd_silu, x, dy, dx, count);
  }
}

void CSIMD_NAME(gate_backward)(csimd_activation f,
                               const float *gate,
                               const float *up,
                               const float *dy,
                               float *dgate,
                               float *dup,
                               size_t count) {
  switch (f) {
    case csimd_gelu_tanh:
      return gate_backward_all(csimd_gelu_tanh, gate, up, dy, dgate, dup, count);
    case csimd_gelu_erf:
      return gate_backward_all(csimd_gelu_erf, gate, up, dy, dgate, dup, count);
    case csimd_quick_gelu:
      return gate_backward_all(csimd_quick_gelu, gate, up, dy, dgate, dup, count);
    case csimd_silu:
      return gate_backward_all(csimd_silu, gate, up, dy, dgate, dup, count);
  }
}
