// SPDX-License-Identifier: Apache-2.0
// Reference: rotary position embedding in the half-split layout.
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_rotary__scalar(float *x,
                          size_t x_stride,
                          size_t m,
                          size_t heads,
                          size_t dim,
                          const float *cosines,
                          const float *sines,
                          size_t angle_stride) {
  size_t half = dim / 2;
  for (size_t i = 0; i < m; i++) {
    const float *cosine = cosines + i * angle_stride, *sine = sines + i * angle_stride;
    for (size_t h = 0; h < heads; h++) {
      float *first = x + i * x_stride + h * dim, *second = first + half;
      for (size_t j = 0; j < half; j++) {
        float a = first[j], b = second[j];
        first[j] = csimd_fma(a, cosine[j], -(b * sine[j]));
        second[j] = csimd_fma(b, cosine[j], a * sine[j]);
      }
    }
  }
}
