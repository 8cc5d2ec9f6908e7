// SPDX-License-Identifier: Apache-2.0
// Reference: gradients of layer norm and RMS norm.
#include "../dispatch/train_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_norm_backward__scalar(const float *x,
                                 size_t x_stride,
                                 const float *dy,
                                 size_t dy_stride,
                                 size_t m,
                                 size_t k,
                                 const float *weight,
                                 float epsilon,
                                 bool centered,
                                 float *dx,
                                 size_t dx_stride,
                                 float *statistics) {
  for (size_t i = 0; i < m; i++, x += x_stride, dy += dy_stride, dx += dx_stride) {
    float lanes[CSIMD_LANES] = {0}, squares[CSIMD_LANES] = {0};
    float mean = 0;
    if (centered) {
      for (size_t c = 0; c < k; c++) {
        lanes[c % CSIMD_LANES] = lanes[c % CSIMD_LANES] + x[c];
      }
      mean = csimd_reduce(lanes) / (float)k;
    }
    for (size_t c = 0; c < k; c++) {
      float d = x[c] - mean;
      squares[c % CSIMD_LANES] = csimd_fma(d, d, squares[c % CSIMD_LANES]);
    }
    float inverse = 1.0f / __builtin_sqrtf(csimd_reduce(squares) / (float)k + epsilon);

    float sums[CSIMD_LANES] = {0}, products[CSIMD_LANES] = {0};
    for (size_t c = 0; c < k; c++) {
      float h = (x[c] - mean) * inverse, g = dy[c] * weight[c];
      sums[c % CSIMD_LANES] = sums[c % CSIMD_LANES] + g;
      products[c % CSIMD_LANES] = csimd_fma(g, h, products[c % CSIMD_LANES]);
    }
    float mean_g = centered ? csimd_reduce(sums) / (float)k : 0;
    float mean_gh = csimd_reduce(products) / (float)k;
    for (size_t c = 0; c < k; c++) {
      float h = (x[c] - mean) * inverse, g = dy[c] * weight[c];
      dx[c] = csimd_fma(inverse, csimd_fma(-h, mean_gh, g - mean_g), dx[c]);
    }
    statistics[2 * i] = mean;
    statistics[2 * i + 1] = inverse;
  }
}

void csimd_norm_weight_backward__scalar(const float *x,
                                        size_t x_stride,
                                        const float *dy,
                                        size_t dy_stride,
                                        size_t m,
                                        size_t columns,
                                        const float *statistics,
                                        float *dweight,
                                        float *dbias) {
  for (size_t c = 0; c < columns; c++) {
    float weight = dweight[c], bias = dbias ? dbias[c] : 0;
    for (size_t i = 0; i < m; i++) {
      float h = (x[i * x_stride + c] - statistics[2 * i]) * statistics[2 * i + 1];
      weight = csimd_fma(dy[i * dy_stride + c], h, weight);
      bias = bias + dy[i * dy_stride + c];
    }
    dweight[c] = weight;
    if (dbias) {
      dbias[c] = bias;
    }
  }
}
