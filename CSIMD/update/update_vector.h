// SPDX-License-Identifier: Apache-2.0
// Bodies of axpy, column_sums, sum_of_squares and adamw.
#include "../internal/vec_math.h"

CSIMD_INLINE v16 update_load(const float *p, size_t n) {
  return n >= 16 ? v16_load(p) : v16_load_n(p, n);
}

CSIMD_INLINE void update_store(float *p, v16 x, size_t n) {
  if (n >= 16) {
    v16_store(p, x);
  } else {
    v16_store_n(p, x, n);
  }
}

void CSIMD_NAME(axpy)(float a, const float *x, float *y, size_t count) {
  v16 factor = v16_set(a);
  for (size_t i = 0; i < count; i += 16) {
    size_t n = count - i;
    update_store(y + i, v16_fma(factor, update_load(x + i, n), update_load(y + i, n)), n);
  }
}

void CSIMD_NAME(column_sums)(const float *x, size_t x_stride, size_t m, size_t n, float *y) {
  for (size_t c = 0; c < n; c += 16) {
    size_t own = n - c;
    v16 sum = update_load(y + c, own);
    for (size_t i = 0; i < m; i++) {
      sum = v16_add(sum, update_load(x + i * x_stride + c, own));
    }
    update_store(y + c, sum, own);
  }
}

double CSIMD_NAME(sum_of_squares)(const float *x, size_t count) {
  double total = 0;
  for (size_t start = 0; start < count; start += 1024) {
    size_t end = count - start < 1024 ? count : start + 1024;
    v16 sum = v16_zero();
    for (size_t i = start; i < end; i += 16) {
      v16 y = update_load(x + i, end - i);
      sum = v16_fma(y, y, sum);
    }
    total += (double)v16_reduce(sum);
  }
  return total;
}

void CSIMD_NAME(adamw)(
    const csimd_adamw *s, float *w, float *m, float *v, const float *g, size_t count) {
  v16 clip = v16_set(s->clip), decay = v16_set(s->decay), rest1 = v16_set(s->rest1);
  v16 beta2 = v16_set(s->beta2), rest2 = v16_set(s->rest2), step = v16_set(-s->step);
  v16 root = v16_set(s->root), epsilon = v16_set(s->epsilon);
  for (size_t i = 0; i < count; i += 16) {
    size_t n = count - i;
    v16 gradient = v16_mul(update_load(g + i, n), clip);
    v16 first = update_load(m + i, n);
    first = v16_fma(v16_sub(gradient, first), rest1, first);
    v16 kept = v16_mul(update_load(v + i, n), beta2);
    v16 second = v16_fma(v16_mul(gradient, gradient), rest2, kept);
    v16 divisor = v16_fma(v16_sqrt(second), root, epsilon);
    v16 weight = v16_mul(update_load(w + i, n), decay);
    update_store(m + i, first, n);
    update_store(v + i, second, n);
    update_store(w + i, v16_fma(step, v16_div(first, divisor), weight), n);
  }
}
