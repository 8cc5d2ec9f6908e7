// SPDX-License-Identifier: Apache-2.0
// Reference: activations → int8 codes with one scale per token and group.
#include "../dispatch/infer_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/scalar_math.h"

#include <float.h>

/// NaN counts as 0 and infinities as the largest finite values.
static float tamed(float x) {
  return x != x ? 0.0f : csimd_min(FLT_MAX, csimd_max(-FLT_MAX, x));
}

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

      float absmax = 0;
      for (size_t j = 0; j < count; j++) {
        absmax = csimd_max(absmax, __builtin_fabsf(tamed(in[j])));
      }
      float scale = absmax / 127.0f;
      int32_t sum = 0;
      for (size_t j = 0; j < group; j++) {
        // A scale that underflows to 0 makes the whole group 0.
        float q = j < count && scale > 0 ? tamed(in[j]) / scale : 0.0f;
        out[j] = (int8_t)__builtin_rintf(csimd_min(127.0f, csimd_max(-127.0f, q)));
        sum += out[j];
      }
      scales[i * group_stride + g] = scale;
      sums[i * group_stride + g] = -128 * sum;
    }
  }
}
