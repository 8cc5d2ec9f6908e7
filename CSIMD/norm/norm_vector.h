// SPDX-License-Identifier: Apache-2.0
// Bodies of layer_norm and rms_norm: a row stays in L1 between its passes.
#include "../internal/vec_math.h"

void CSIMD_NAME(layer_norm)(const float *x,
                            size_t x_stride,
                            size_t m,
                            size_t k,
                            const float *weight,
                            const float *bias,
                            float epsilon,
                            float *y,
                            size_t y_stride) {
  size_t whole = k / 16 * 16, left = k - whole;
  for (size_t i = 0; i < m; i++, x += x_stride, y += y_stride) {
    v16 sum = v16_zero();
    for (size_t c = 0; c < whole; c += 16) {
      sum = v16_add(sum, v16_load(x + c));
    }
    if (left > 0) {
      sum = v16_add(sum, v16_load_n(x + whole, left));
    }
    v16 mean = v16_set(v16_reduce(sum) / (float)k);

    v16 squares = v16_zero();
    for (size_t c = 0; c < whole; c += 16) {
      v16 d = v16_sub(v16_load(x + c), mean);
      squares = v16_fma(d, d, squares);
    }
    if (left > 0) {
      v16 d = v16_sub(v16_load_n(x + whole, left), mean);
      squares = v16_fma_n(d, d, squares, left);
    }
    v16 inverse = v16_set(1.0f / __builtin_sqrtf(v16_reduce(squares) / (float)k + epsilon));

    for (size_t c = 0; c < whole; c += 16) {
      v16 d = v16_mul(v16_sub(v16_load(x + c), mean), inverse);
      v16_store(y + c, v16_fma(d, v16_load(weight + c), v16_load(bias + c)));
    }
    if (left > 0) {
      v16 d = v16_mul(v16_sub(v16_load_n(x + whole, left), mean), inverse);
      v16 result = v16_fma(d, v16_load_n(weight + whole, left), v16_load_n(bias + whole, left));
      v16_store_n(y + whole, result, left);
    }
  }
}

void CSIMD_NAME(rms_norm)(const float *x,
                          size_t x_stride,
                          size_t m,
                          size_t k,
                          const float *weight,
                          float epsilon,
                          float *y,
                          size_t y_stride) {
  size_t whole = k / 16 * 16, left = k - whole;
  for (size_t i = 0; i < m; i++, x += x_stride, y += y_stride) {
    v16 squares = v16_zero();
    for (size_t c = 0; c < whole; c += 16) {
      v16 value = v16_load(x + c);
      squares = v16_fma(value, value, squares);
    }
    if (left > 0) {
      v16 value = v16_load_n(x + whole, left);
      squares = v16_fma(value, value, squares);
    }
    v16 inverse = v16_set(1.0f / __builtin_sqrtf(v16_reduce(squares) / (float)k + epsilon));

    for (size_t c = 0; c < whole; c += 16) {
      v16 scaled = v16_mul(v16_load(x + c), inverse);
      v16_store(y + c, v16_mul(scaled, v16_load(weight + c)));
    }
    if (left > 0) {
      v16 scaled = v16_mul(v16_load_n(x + whole, left), inverse);
      v16_store_n(y + whole, v16_mul(scaled, v16_load_n(weight + whole, left)), left);
    }
  }
}
