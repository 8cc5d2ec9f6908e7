// SPDX-License-Identifier: Apache-2.0
// Reference: one row of int8 activations times packed int8 weights.
#include "../dispatch/infer_prototypes.h"

void csimd_q8_gemv__scalar(const csimd_q8_activations *a,
                           const csimd_q8_weights *w,
                           size_t first_panel,
                           size_t panels,
                           const float *bias,
                           float *y) {
  csimd_q8_gemm__scalar(a, 1, w, first_panel, panels, bias, y, w->n);
}
