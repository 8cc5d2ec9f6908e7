// SPDX-License-Identifier: Apache-2.0
// Reference: scores above a row's threshold, and products of one row with chosen rows.
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"

size_t csimd_select_above__scalar(const float *x,
                                  size_t x_stride,
                                  size_t m,
                                  size_t n,
                                  const float *thresholds,
                                  uint32_t *positions) {
  size_t count = 0;
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      if (x[i * x_stride + j] > thresholds[i]) {
        positions[count++] = (uint32_t)(i * n + j);
      }
    }
  }
  return count;
}

void csimd_dot_rows__scalar(
    const float *x, const float *w, size_t k, const uint32_t *rows, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) {
    const float *row = w + (size_t)rows[i] * k;
    float lanes[CSIMD_LANES] = {0};
    for (size_t c = 0; c < k; c++) {
      float *lane = &lanes[c % CSIMD_LANES];
      *lane = csimd_fma(x[c], row[c], *lane);
    }
    y[i] = csimd_reduce(lanes);
  }
}
