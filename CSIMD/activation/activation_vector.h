// SPDX-License-Identifier: Apache-2.0
// Bodies of activate and gate: one loop for each function.
#include "../internal/vec_math.h"

CSIMD_INLINE void activate_all(const csimd_activation f, float *x, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    v16_store(x + i, v16_activate(f, v16_load(x + i)));
  }
  if (i < count) {
    v16_store_n(x + i, v16_activate(f, v16_load_n(x + i, count - i)), count - i);
  }
}

CSIMD_INLINE void gate_all(
    const csimd_activation f, const float *gate, const float *up, float *y, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    v16_store(y + i, v16_mul(v16_activate(f, v16_load(gate + i)), v16_load(up + i)));
  }
  if (i < count) {
    size_t left = count - i;
    v16 activated = v16_activate(f, v16_load_n(gate + i, left));
    v16_store_n(y + i, v16_mul(activated, v16_load_n(up + i, left)), left);
  }
}

void CSIMD_NAME(activate)(csimd_activation f, float *x, size_t count) {
  switch (f) {
    case csimd_gelu_tanh:
      return activate_all(csimd_gelu_tanh, x, count);
    case csimd_gelu_erf:
      return activate_all(csimd_gelu_erf, x, count);
    case csimd_quick_gelu:
      return activate_all(csimd_quick_gelu, x, count);
    case csimd_silu:
      return activate_all(csimd_silu, x, count);
  }
}

void CSIMD_NAME(gate)(
    csimd_activation f, const float *gate, const float *up, float *y, size_t count) {
  switch (f) {
    case csimd_gelu_tanh:
      return gate_all(csimd_gelu_tanh, gate, up, y, count);
    case csimd_gelu_erf:
      return gate_all(csimd_gelu_erf, gate, up, y, count);
    case csimd_quick_gelu:
      return gate_all(csimd_quick_gelu, gate, up, y, count);
    case csimd_silu:
      return gate_all(csimd_silu, gate, up, y, count);
  }
}
