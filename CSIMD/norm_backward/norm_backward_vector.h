// SPDX-License-Identifier: Apache-2.0
// Bodies of norm_backward and norm_weight_backward.
#include "../internal/vec_math.h"

CSIMD_INLINE v16 norm_load(const float *p, size_t n) {
  return n >= 16 ? v16_load(p) : v16_load_n(p, n);
}

void CSIMD_NAME(norm_backward)(const float *x,
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
  size_t whole = k / 16 * 16, left = k - whole;
  for (size_t i = 0; i < m; i++, x += x_stride, dy += dy_stride, dx += dx_stride) {
    float center = 0;
    if (centered) {
      v16 sum = v16_zero();
      for (size_t c = 0; c < whole; c += 16) {
        sum = v16_add(sum, v16_load(x + c));
      }
      if (left > 0) {
        sum = v16_add(sum, v16_load_n(x + whole, left));
      }
      center = v16_reduce(sum) / (float)k;
    }
    v16 mean = v16_set(center), squares = v16_zero();
    for (size_t c = 0; c < whole; c += 16) {
      v16 d = v16_sub(v16_load(x + c), mean);
      squares = v16_fma(d, d, squares);
    }
    if (left > 0) {
      v16 d = v16_sub(v16_load_n(x + whole, left), mean);
      squares = v16_fma_n(d, d, squares, left);
    }
    float scale = 1.0f / __builtin_sqrtf(v16_reduce(squares) / (float)k + epsilon);
    v16 inverse = v16_set(scale), sums = v16_zero(), products = v16_zero();
    for (size_t c = 0; c < whole; c += 16) {
      v16 h = v16_mul(v16_sub(v16_load(x + c), mean), inverse);
      v16 g = v16_mul(v16_load(dy + c), v16_load(weight + c));
      sums = v16_add(sums, g);
      products = v16_fma(g, h, products);
    }
    if (left > 0) {
      v16 h = v16_mul(v16_sub(v16_load_n(x + whole, left), mean), inverse);
      v16 g = v16_mul(v16_load_n(dy + whole, left), v16_load_n(weight + whole, left));
      sums = v16_add(sums, g);
      products = v16_fma_n(g, h, products, left);
    }
    v16 mean_g = v16_set(centered ? v16_reduce(sums) / (float)k : 0);
    v16 mean_gh = v16_set(v16_reduce(products) / (float)k);
    for (size_t c = 0; c < k; c += 16) {
      size_t n = k - c;
      v16 h = v16_mul(v16_sub(norm_load(x + c, n), mean), inverse);
      v16 g = v16_mul(norm_load(dy + c, n), norm_load(weight + c, n));
      v16 inner = v16_fma(v16_negate(h), mean_gh, v16_sub(g, mean_g));
      v16 sum = v16_fma(inverse, inner, norm_load(dx + c, n));
      if (n >= 16) {
        v16_store(dx + c, sum);
      } else {
        v16_store_n(dx + c, sum, n);
      }
    }
    statistics[2 * i] = center;
    statistics[2 * i + 1] = scale;
  }
}

void CSIMD_NAME(norm_weight_backward)(const float *x,
                                      size_t x_stride,
                                      const float *dy,
                                      size_t dy_stride,
                                      size_t m,
                                      size_t columns,
                                      const float *statistics,
                                      float *dweight,
                                      float *dbias) {
  for (size_t c = 0; c < columns; c += 16) {
    size_t n = columns - c < 16 ? columns - c : 16;
    v16 weight = norm_load(dweight + c, n), bias = dbias ? norm_load(dbias + c, n) : v16_zero();
    for (size_t i = 0; i < m; i++) {
      v16 mean = v16_set(statistics[2 * i]), inverse = v16_set(statistics[2 * i + 1]);
      v16 h = v16_mul(v16_sub(norm_load(x + i * x_stride + c, n), mean), inverse);
      v16 d = norm_load(dy + i * dy_stride + c, n);
      weight = v16_fma(d, h, weight);
      bias = v16_add(bias, d);
    }
    v16_store_n(dweight + c, weight, n);
    if (dbias) {
      v16_store_n(dbias + c, bias, n);
    }
  }
}
