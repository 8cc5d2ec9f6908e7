// SPDX-License-Identifier: Apache-2.0
// Reference: one row of int8 activations times packed int4 weights.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q4_scalar.h"

void csimd_q4_gemv__scalar(const csimd_q8_activations *a,
                           const csimd_q4_weights *w,
                           size_t first_panel,
                           size_t panels,
                           const float *bias,
                           float *y) {
  csimd_q4_check(a, 1, w, first_panel, panels);
  size_t end = (first_panel + panels) * CSIMD_Q4_ROWS;
  size_t last = end < w->n ? end : w->n;
  for (size_t j = first_panel * CSIMD_Q4_ROWS; j < last; j++) {
    float total = csimd_q4_dot(a->codes, a->scales, w, j);
    y[j] = bias ? total + bias[j] : total;
  }
}
