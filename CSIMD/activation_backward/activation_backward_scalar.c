// SPDX-License-Identifier: Apache-2.0
// Reference: derivatives of activations and gates.
#include "../dispatch/train_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_activate_backward__scalar(
    csimd_activation f, const float *x, const float *dy, float *dx, size_t count) {
  for (size_t i = 0; i < count; i++) {
    dx[i] = dy[i] * csimd_activation_slope(f, x[i]);
  }
}

void csimd_gate_backward__scalar(csimd_activation f,
                                 const float *gate,
                                 const float *up,
                                 const float *dy,
                                 float *dgate,
                                 float *dup,
                                 size_t count) {
  for (size_t i = 0; i < count; i++) {
    float g = gate[i], u = up[i], d = dy[i];
    dgate[i] = d * u * csimd_activation_slope(f, g);
    dup[i] = d * csimd_activate_one(f, g);
  }
}
