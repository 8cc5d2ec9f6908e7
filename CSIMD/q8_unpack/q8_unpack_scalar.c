// SPDX-License-Identifier: Apache-2.0
// Reference: blocks of a packed int8 matrix as floats.
#include "../dispatch/train_prototypes.h"
#include "../internal/q8_panel.h"
#include "../internal/scalar_math.h"

void csimd_q8_unpack__scalar(const csimd_q8_weights *w,
                             size_t first_row,
                             size_t rows,
                             size_t first_column,
                             size_t columns,
                             csimd_type type,
                             void *out,
                             size_t out_stride) {
  const uint8_t *bytes = w->panels;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      size_t n = first_row + i, k = first_column + j;
      float scale;
      memcpy(&scale, bytes + csimd_q8_scale_offset(n, k, w->k, w->group), sizeof scale);
      int code = bytes[csimd_q8_code_offset(n, k, w->k, w->group)] - CSIMD_Q8_ZERO;
      float value = (float)code * scale;
      size_t index = i * out_stride + j;
      if (type == csimd_bf16) {
        ((uint16_t *)out)[index] = csimd_to_bf16(value);
      } else {
        ((float *)out)[index] = value;
      }
    }
  }
}
