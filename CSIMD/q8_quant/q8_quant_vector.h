// SPDX-License-Identifier: Apache-2.0
// Body of q8_quantize for sixteen lanes: two passes over a group that stays in L1.
#include "../internal/vec_codes.h"

/// Quantises one group; returns its scale. `count` inputs are real, the rest up to `group` are 0.
CSIMD_INLINE float quantize_group(
    const float *x, size_t count, size_t group, int8_t *codes, int32_t *sum) {
  float scale = v16_code_scale(x, count);
  if (!(scale > 0)) {
    __builtin_memset(codes, 0, group);
    *sum = 0;
    return scale;
  }
  v16 divisor = v16_set(scale);
  v16i total = v16i_zero();
  for (size_t j = 0; j < group; j += 16) {
    v16i code = v16i_zero();
    if (j < count) {
      code = v16_codes(v16_load_up_to(x + j, count - j), divisor);
    }
    v16i_store_s8(codes + j, code);
    total = v16i_add(total, code);
  }
  *sum = -128 * v16i_reduce(total);
  return scale;
}

void CSIMD_NAME(q8_quantize)(const float *x,
                             size_t x_stride,
                             size_t m,
                             size_t k,
                             size_t group,
                             int8_t *codes,
                             size_t row_stride,
                             float *scales,
                             int32_t *sums,
                             size_t group_stride) {
  size_t groups = csimd_q8_groups(k, group);
  for (size_t i = 0; i < m; i++) {
    for (size_t g = 0; g < groups; g++) {
      size_t first = g * group, entry = i * group_stride + g;
      size_t count = k - first < group ? k - first : group;
      scales[entry] = quantize_group(
          x + i * x_stride + first, count, group, codes + i * row_stride + first, &sums[entry]);
    }
  }
}
