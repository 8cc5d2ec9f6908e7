// SPDX-License-Identifier: Apache-2.0
// Reference: activations and gates.
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_activate__scalar(csimd_activation f, float *x, size_t count) {
  for (size_t i = 0; i < count; i++) {
    x[i] = csimd_activate_one(f, x[i]);
  }
}

void csimd_gate__scalar(
    csimd_activation f, const float *gate, const float *up, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    y[i] = csimd_activate_one(f, gate[i]) * up[i];
  }
}
