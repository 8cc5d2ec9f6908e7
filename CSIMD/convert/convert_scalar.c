// SPDX-License-Identifier: Apache-2.0
// Reference: conversions between f32 and the 16-bit floats.
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_bf16_to_f32__scalar(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    y[i] = csimd_from_bf16(x[i]);
  }
}

void csimd_f32_to_bf16__scalar(const float *x, uint16_t *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    y[i] = csimd_to_bf16(x[i]);
  }
}

void csimd_f16_to_f32__scalar(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    y[i] = csimd_from_f16(x[i]);
  }
}

void csimd_f32_to_f16__scalar(const float *x, uint16_t *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    y[i] = csimd_to_f16(x[i]);
  }
}
