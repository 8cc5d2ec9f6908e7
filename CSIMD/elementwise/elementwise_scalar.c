// SPDX-License-Identifier: Apache-2.0
// Reference: sums and multiples of vectors.
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_add__scalar(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    y[i] = y[i] + x[i];
  }
}

void csimd_scale__scalar(float s, float *x, size_t count) {
  for (size_t i = 0; i < count; i++) {
    x[i] = x[i] * s;
  }
}
