// SPDX-License-Identifier: Apache-2.0
// Reference: int8 activations [m, k] times packed int8 weights [n, k].
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/scalar_math.h"

void csimd_q8_gemm__scalar(const csimd_q8_activations *a,
                           size_t m,
                           const csimd_q8_weights *w,
                           size_t first_panel,
                           size_t panels,
                           const float *bias,
                           float *y,
                           size_t y_stride) {
  csimd_q8_check(a, m, w, first_panel, panels);
  const uint8_t *packed = w->panels;
  size_t end = (first_panel + panels) * CSIMD_Q8_ROWS;
  size_t last = end < w->n ? end : w->n;
  for (size_t i = 0; i < m; i++) {
    for (size_t j = first_panel * CSIMD_Q8_ROWS; j < last; j++) {
      float total = 0;
      for (size_t g = 0; g < csimd_q8_groups(w->k, w->group); g++) {
        size_t first = g * w->group;
        int32_t sum = 0;
        for (size_t k = first; k < first + w->group; k++) {
          int32_t code = packed[csimd_q8_code_offset(j, k, w->k, w->group)] - CSIMD_Q8_ZERO;
          sum += a->codes[i * a->row_stride + k] * code;
        }
        float scale;
        memcpy(&scale, packed + csimd_q8_scale_offset(j, first, w->k, w->group), sizeof scale);
        total = csimd_fma((float)sum, a->scales[i * a->group_stride + g] * scale, total);
      }
      y[i * y_stride + j] = bias ? total + bias[j] : total;
    }
  }
}
