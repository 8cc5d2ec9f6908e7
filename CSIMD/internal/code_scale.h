// SPDX-License-Identifier: Apache-2.0
// The rule by which f32 values share a scale as int8 codes.
#ifndef CSIMD_INTERNAL_CODE_SCALE_H
#define CSIMD_INTERNAL_CODE_SCALE_H

#include "region.h"

#include <float.h>

/// absmax / 127, infinity counting as the largest finite value.
CSIMD_INLINE float csimd_code_scale(float absmax) {
  return (absmax > FLT_MAX ? FLT_MAX : absmax) / 127.0f;
}

/// What values are divided by: a scale that underflowed to 0 makes all codes 0.
CSIMD_INLINE float csimd_code_divisor(float scale) {
  return scale > 0 ? scale : __builtin_inff();
}

#endif
