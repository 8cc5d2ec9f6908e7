// SPDX-License-Identifier: Apache-2.0
// Reference: activations → int8 codes with one scale per token and group.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/scalar_math.h"

void csimd_q8_quantize__scalar(const float *x,
                               size_t x_stride,
                               size_t m,
                               size_t k,
                               size_t group,
                               int8_t *codes,
                               size_t row_stride,
                               float *scales,
                               int32_t *sums,
                               size_t group_stride) {
  for (size_t i = 0; i < m; i++) {
    for (size_t g = 0; g < csimd_q8_groups(k, group); g++) {
      const float *in = x + i * x_stride + g * group;
      int8_t *out = codes + i * row_stride + g * group;
      size_t count = k - g * group < group ? k - g * group : group;

      float scale = csimd_row_scale(in, count);
      int32_t sum = 0;
      for (size_t j = 0; j < group; j++) {
        out[j] = j < count ? csimd_code(in[j], scale) : 0;
        sum += out[j];
      }
      scales[i * group_stride + g] = scale;
      sums[i * group_stride + g] = -128 * sum;
    }
  }
}
