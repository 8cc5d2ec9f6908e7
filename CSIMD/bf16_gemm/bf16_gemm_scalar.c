// SPDX-License-Identifier: Apache-2.0
// Reference: f32 activations [m, k] times row-major bf16 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_bf16_gemm__scalar(const float *x,
                             size_t x_stride,
                             size_t m,
                             const uint16_t *w,
                             size_t k,
                             size_t first_row,
                             size_t rows,
                             const float *bias,
                             float *y,
                             size_t y_stride) {
  for (size_t i = 0; i < m; i++) {
    for (size_t j = first_row; j < first_row + rows; j++) {
      float lanes[CSIMD_LANES] = {0};
      for (size_t c = 0; c < k; c++) {
        float *lane = &lanes[c % CSIMD_LANES];
        *lane = csimd_fma(x[i * x_stride + c], csimd_from_bf16(w[j * k + c]), *lane);
      }
      float sum = csimd_reduce(lanes);
      y[i * y_stride + j] = bias ? sum + bias[j] : sum;
    }
  }
}
