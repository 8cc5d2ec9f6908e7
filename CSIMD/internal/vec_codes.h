// SPDX-License-Identifier: Apache-2.0
// f32 as int8 codes with a shared scale, sixteen lanes: included inside a region after a vec_*.h.
#ifndef CSIMD_INTERNAL_VEC_CODES_H
#define CSIMD_INTERNAL_VEC_CODES_H

#include "code_scale.h"

CSIMD_INLINE v16 v16_load_up_to(const float *x, size_t count) {
  return count >= 16 ? v16_load(x) : v16_load_n(x, count);
}

/// The scale of `count` values: their largest magnitude / 127.
CSIMD_INLINE float v16_code_scale(const float *x, size_t count) {
  v16 largest = v16_zero();
  for (size_t j = 0; j < count; j += 16) {
    // The maximum returns its second operand for NaN, so NaN never enters.
    largest = v16_max(v16_abs(v16_load_up_to(x + j, count - j)), largest);
  }
  return csimd_code_scale(v16_reduce_max(largest));
}

/// x / divisor to the nearest integer within ±127, ties to even; NaN is 0.
CSIMD_INLINE v16i v16_codes(v16 x, v16 divisor) {
  v16 q = v16_nan_to_zero(v16_div(x, divisor));
  return v16_to_int(v16_min(v16_set(127.0f), v16_max(v16_set(-127.0f), q)));
}

#endif
