// SPDX-License-Identifier: Apache-2.0
// Reference: layer norm and RMS norm.
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_layer_norm__scalar(const float *x,
                              size_t x_stride,
                              size_t m,
                              size_t k,
                              const float *weight,
                              const float *bias,
                              float epsilon,
                              float *y,
                              size_t y_stride) {
  for (size_t i = 0; i < m; i++, x += x_stride, y += y_stride) {
    float lanes[CSIMD_LANES] = {0};
    for (size_t c = 0; c < k; c++) {
      lanes[c % CSIMD_LANES] = lanes[c % CSIMD_LANES] + x[c];
    }
    float mean = csimd_reduce(lanes) / (float)k;

    float squares[CSIMD_LANES] = {0};
    for (size_t c = 0; c < k; c++) {
      float d = x[c] - mean;
      squares[c % CSIMD_LANES] = csimd_fma(d, d, squares[c % CSIMD_LANES]);
    }
    float inverse = 1.0f / __builtin_sqrtf(csimd_reduce(squares) / (float)k + epsilon);

    for (size_t c = 0; c < k; c++) {
      y[c] = csimd_fma((x[c] - mean) * inverse, weight[c], bias[c]);
    }
  }
}

void csimd_rms_norm__scalar(const float *x,
                            size_t x_stride,
                            size_t m,
                            size_t k,
                            const float *weight,
                            float epsilon,
                            float *y,
                            size_t y_stride) {
  for (size_t i = 0; i < m; i++, x += x_stride, y += y_stride) {
    float squares[CSIMD_LANES] = {0};
    for (size_t c = 0; c < k; c++) {
      squares[c % CSIMD_LANES] = csimd_fma(x[c], x[c], squares[c % CSIMD_LANES]);
    }
    float inverse = 1.0f / __builtin_sqrtf(csimd_reduce(squares) / (float)k + epsilon);

    for (size_t c = 0; c < k; c++) {
      y[c] = x[c] * inverse * weight[c];
    }
  }
}
