// SPDX-License-Identifier: Apache-2.0
// Reference: softmax of attention scores and of logits, and their gradients.
#include "../dispatch/train_prototypes.h"
#include "../internal/scalar_math.h"
#include "softmax_range.h"

void csimd_attention_softmax__scalar(const csimd_scores *s, float *maximum, float *inverse) {
  for (size_t i = 0; i < s->queries; i++) {
    float *row = s->s + i * s->stride;
    softmax_range seen = softmax_visible(s, i);
    float largest = -__builtin_inff();
    for (size_t j = seen.first; j < seen.end; j++) {
      row[j] = row[j] * s->scale;
      largest = csimd_max(row[j], largest);
    }
    float lanes[CSIMD_LANES] = {0};
    for (size_t j = seen.first; j < seen.end; j++) {
      row[j] = csimd_exp(row[j] - largest);
      float *lane = &lanes[(j - seen.first) % CSIMD_LANES];
      *lane = *lane + row[j];
    }
    float factor = 1.0f / csimd_reduce(lanes);
    for (size_t j = 0; j < s->keys; j++) {
      row[j] = j >= seen.first && j < seen.end ? row[j] * factor : 0;
    }
    maximum[i] = largest;
    inverse[i] = factor;
  }
}

void csimd_attention_probabilities__scalar(const csimd_scores *s,
                                           const float *maximum,
                                           const float *inverse) {
  for (size_t i = 0; i < s->queries; i++) {
    float *row = s->s + i * s->stride;
    softmax_range seen = softmax_visible(s, i);
    for (size_t j = 0; j < s->keys; j++) {
      bool visible = j >= seen.first && j < seen.end;
      row[j] = visible ? csimd_exp(row[j] * s->scale - maximum[i]) * inverse[i] : 0;
    }
  }
}

void csimd_softmax_backward__scalar(const float *p,
                                    size_t p_stride,
                                    float *d,
                                    size_t d_stride,
                                    size_t m,
                                    size_t n,
                                    const float *delta,
                                    float factor) {
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      float *entry = &d[i * d_stride + j];
      *entry = p[i * p_stride + j] * (*entry - delta[i]) * factor;
    }
  }
}

void csimd_row_products__scalar(const float *a,
                                size_t a_stride,
                                const float *b,
                                size_t b_stride,
                                size_t m,
                                size_t k,
                                float *out) {
  for (size_t i = 0; i < m; i++) {
    float lanes[CSIMD_LANES] = {0};
    for (size_t c = 0; c < k; c++) {
      float *lane = &lanes[c % CSIMD_LANES];
      *lane = csimd_fma(a[i * a_stride + c], b[i * b_stride + c], *lane);
    }
    out[i] = csimd_reduce(lanes);
  }
}

void csimd_softmax_update__scalar(
    const float *x, size_t x_stride, size_t m, size_t n, float *maximum, float *sum) {
  for (size_t i = 0; i < m; i++) {
    const float *row = x + i * x_stride;
    float largest = maximum[i];
    for (size_t j = 0; j < n; j++) {
      largest = csimd_max(row[j], largest);
    }
    float lanes[CSIMD_LANES] = {0};
    for (size_t j = 0; j < n; j++) {
      lanes[j % CSIMD_LANES] = lanes[j % CSIMD_LANES] + csimd_exp(row[j] - largest);
    }
    sum[i] = csimd_fma(sum[i], csimd_exp(maximum[i] - largest), csimd_reduce(lanes));
    maximum[i] = largest;
  }
}

void csimd_softmax_finish__scalar(
    float *x, size_t x_stride, size_t m, size_t n, const float *maximum, const float *factor) {
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      x[i * x_stride + j] = csimd_exp(x[i * x_stride + j] - maximum[i]) * factor[i];
    }
  }
}
