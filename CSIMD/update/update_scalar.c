// SPDX-License-Identifier: Apache-2.0
// Reference: sums over vectors and rows, and the optimiser's step.
#include "../dispatch/train_prototypes.h"
#include "../internal/scalar_math.h"

void csimd_axpy__scalar(float a, const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    y[i] = csimd_fma(a, x[i], y[i]);
  }
}

void csimd_column_sums__scalar(const float *x, size_t x_stride, size_t m, size_t n, float *y) {
  for (size_t c = 0; c < n; c++) {
    float sum = y[c];
    for (size_t i = 0; i < m; i++) {
      sum = sum + x[i * x_stride + c];
    }
    y[c] = sum;
  }
}

double csimd_sum_of_squares__scalar(const float *x, size_t count) {
  double total = 0;
  for (size_t start = 0; start < count; start += 1024) {
    size_t end = count - start < 1024 ? count : start + 1024;
    float lanes[CSIMD_LANES] = {0};
    for (size_t i = start; i < end; i++) {
      lanes[i % CSIMD_LANES] = csimd_fma(x[i], x[i], lanes[i % CSIMD_LANES]);
    }
    total += (double)csimd_reduce(lanes);
  }
  return total;
}

void csimd_adamw__scalar(
    const csimd_adamw *s, float *w, float *m, float *v, const float *g, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float gradient = g[i] * s->clip;
    m[i] = csimd_fma(gradient - m[i], s->rest1, m[i]);
    v[i] = csimd_fma(gradient * gradient, s->rest2, v[i] * s->beta2);
    float divisor = csimd_fma(__builtin_sqrtf(v[i]), s->root, s->epsilon);
    w[i] = csimd_fma(-s->step, m[i] / divisor, w[i] * s->decay);
  }
}
