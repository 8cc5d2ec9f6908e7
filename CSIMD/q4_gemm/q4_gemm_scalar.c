// SPDX-License-Identifier: Apache-2.0
// Reference: int8 activations [m, k] times packed int4 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q4_scalar.h"

void csimd_q4_gemm__scalar(const csimd_q8_activations *a,
                           size_t m,
                           const csimd_q4_weights *w,
                           size_t first_panel,
                           size_t panels,
                           const float *bias,
                           float *y,
                           size_t y_stride,
                           void *scratch) {
  (void)scratch;
  csimd_q4_check(a, m, w, first_panel, panels);
  size_t end = (first_panel + panels) * CSIMD_Q4_ROWS;
  size_t last = end < w->n ? end : w->n;
  for (size_t i = 0; i < m; i++) {
    const int8_t *codes = a->codes + i * a->row_stride;
    const float *scales = a->scales + i * a->group_stride;
    for (size_t j = first_panel * CSIMD_Q4_ROWS; j < last; j++) {
      float total = csimd_q4_dot(codes, scales, w, j);
      y[i * y_stride + j] = bias ? total + bias[j] : total;
    }
  }
}
