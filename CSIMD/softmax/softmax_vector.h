// SPDX-License-Identifier: Apache-2.0
// Bodies of the softmax family.
#include "../internal/vec_math.h"
#include "softmax_range.h"

CSIMD_INLINE v16 softmax_load(const float *p, size_t n) {
  return n >= 16 ? v16_load(p) : v16_load_n(p, n);
}

CSIMD_INLINE void softmax_store(float *p, v16 x, size_t n) {
  if (n >= 16) {
    v16_store(p, x);
  } else {
    v16_store_n(p, x, n);
  }
}

CSIMD_INLINE void softmax_clear(float *row, softmax_range seen, size_t keys) {
  memset(row, 0, seen.first * sizeof(float));
  memset(row + seen.end, 0, (keys - seen.end) * sizeof(float));
}

/// The largest of `first` and n values of x, after they were multiplied by `scale` in place.
CSIMD_INLINE float softmax_scaled_maximum(float *x, size_t n, float scale) {
  v16 factor = v16_set(scale), largest = v16_set(-__builtin_inff());
  size_t j = 0;
  for (; j + 16 <= n; j += 16) {
    v16 y = v16_mul(v16_load(x + j), factor);
    v16_store(x + j, y);
    largest = v16_max(y, largest);
  }
  if (j < n) {
    v16 y = v16_mul(v16_load_n(x + j, n - j), factor);
    v16_store_n(x + j, y, n - j);
    largest = v16_max(v16_keep(y, 0, n - j, largest), largest);
  }
  return v16_reduce_max(largest);
}

void CSIMD_NAME(attention_softmax)(const csimd_scores *s, float *maximum, float *inverse) {
  for (size_t i = 0; i < s->queries; i++) {
    float *row = s->s + i * s->stride;
    softmax_range seen = softmax_visible(s, i);
    float *x = row + seen.first;
    size_t n = seen.end - seen.first;
    float top = softmax_scaled_maximum(x, n, s->scale);
    v16 largest = v16_set(top), sum = v16_zero();
    size_t j = 0;
    for (; j + 16 <= n; j += 16) {
      v16 e = v16_exp(v16_sub(v16_load(x + j), largest));
      v16_store(x + j, e);
      sum = v16_add(sum, e);
    }
    if (j < n) {
      v16 e = v16_exp(v16_sub(v16_load_n(x + j, n - j), largest));
      v16_store_n(x + j, e, n - j);
      sum = v16_add(sum, v16_keep(e, 0, n - j, v16_zero()));
    }
    float total = 1.0f / v16_reduce(sum);
    v16 factor = v16_set(total);
    for (j = 0; j < n; j += 16) {
      softmax_store(x + j, v16_mul(softmax_load(x + j, n - j), factor), n - j);
    }
    softmax_clear(row, seen, s->keys);
    maximum[i] = top;
    inverse[i] = total;
  }
}

void CSIMD_NAME(attention_probabilities)(const csimd_scores *s,
                                         const float *maximum,
                                         const float *inverse) {
  v16 scale = v16_set(s->scale);
  for (size_t i = 0; i < s->queries; i++) {
    float *row = s->s + i * s->stride;
    softmax_range seen = softmax_visible(s, i);
    v16 largest = v16_set(maximum[i]), factor = v16_set(inverse[i]);
    for (size_t j = seen.first; j < seen.end; j += 16) {
      size_t n = seen.end - j;
      v16 x = v16_sub(v16_mul(softmax_load(row + j, n), scale), largest);
      softmax_store(row + j, v16_mul(v16_exp(x), factor), n);
    }
    softmax_clear(row, seen, s->keys);
  }
}

void CSIMD_NAME(softmax_backward)(const float *p,
                                  size_t p_stride,
                                  float *d,
                                  size_t d_stride,
                                  size_t m,
                                  size_t n,
                                  const float *delta,
                                  float factor) {
  v16 scale = v16_set(factor);
  for (size_t i = 0; i < m; i++, p += p_stride, d += d_stride) {
    v16 shift = v16_set(delta[i]);
    for (size_t j = 0; j < n; j += 16) {
      v16 x = v16_sub(softmax_load(d + j, n - j), shift);
      v16 y = v16_mul(v16_mul(softmax_load(p + j, n - j), x), scale);
      softmax_store(d + j, y, n - j);
    }
  }
}

void CSIMD_NAME(row_products)(const float *a,
                              size_t a_stride,
                              const float *b,
                              size_t b_stride,
                              size_t m,
                              size_t k,
                              float *out) {
  for (size_t i = 0; i < m; i++, a += a_stride, b += b_stride) {
    v16 sum = v16_zero();
    size_t c = 0;
    for (; c + 16 <= k; c += 16) {
      sum = v16_fma(v16_load(a + c), v16_load(b + c), sum);
    }
    if (c < k) {
      sum = v16_fma_n(v16_load_n(a + c, k - c), v16_load_n(b + c, k - c), sum, k - c);
    }
    out[i] = v16_reduce(sum);
  }
}

void CSIMD_NAME(softmax_update)(
    const float *x, size_t x_stride, size_t m, size_t n, float *maximum, float *sum) {
  for (size_t i = 0; i < m; i++, x += x_stride) {
    v16 largest = v16_set(maximum[i]);
    size_t j = 0;
    for (; j + 16 <= n; j += 16) {
      largest = v16_max(v16_load(x + j), largest);
    }
    if (j < n) {
      largest = v16_max(v16_keep(v16_load_n(x + j, n - j), 0, n - j, largest), largest);
    }
    float top = v16_reduce_max(largest);
    largest = v16_set(top);
    v16 total = v16_zero();
    for (j = 0; j + 16 <= n; j += 16) {
      total = v16_add(total, v16_exp(v16_sub(v16_load(x + j), largest)));
    }
    if (j < n) {
      v16 e = v16_exp(v16_sub(v16_load_n(x + j, n - j), largest));
      total = v16_add(total, v16_keep(e, 0, n - j, v16_zero()));
    }
    float before[16];
    v16_store(before, v16_exp(v16_set(maximum[i] - top)));
    sum[i] = __builtin_fmaf(sum[i], before[0], v16_reduce(total));
    maximum[i] = top;
  }
}

void CSIMD_NAME(softmax_finish)(
    float *x, size_t x_stride, size_t m, size_t n, const float *maximum, const float *factor) {
  for (size_t i = 0; i < m; i++, x += x_stride) {
    v16 largest = v16_set(maximum[i]), scale = v16_set(factor[i]);
    for (size_t j = 0; j < n; j += 16) {
      v16 e = v16_exp(v16_sub(softmax_load(x + j, n - j), largest));
      softmax_store(x + j, v16_mul(e, scale), n - j);
    }
  }
}
